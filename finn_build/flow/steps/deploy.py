"""Collect what goes to the board: bitstream, driver, golden vectors, a manifest."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from finn_build.backends.base import OURS
from finn_build.flow import driver_files, labels, package
from finn_build.flow.pipeline import Build
from finn_build.network import golden
from finn_build.network.graph import Network
from finn_build.rtl.chip import model_hash
from finn_build.system.files import load_json, save_json, save_npz


def run(build: Build, out: Path) -> str:
    """Leave what `write` does, the bitstream and a README in `out`, and all of it as one archive.

    An accelerator that is not ours comes with its own software instead of our driver.
    """
    bits = load_json(build.path("bitstream", "result.json"))
    bitstream, routed = bits["path"], load_json(build.path("route", "result.json"))
    write(
        build,
        out,
        bitstream=bitstream and Path(bitstream).name,
        critical_path=routed.get("path"),
        accelerator=routed.get("accelerator", OURS),
    )
    if software := routed.get("software"):
        shutil.copytree(build.path("route", software), out, dirs_exist_ok=True)
    if bitstream is not None:
        shutil.copyfile(build.folder / bitstream, out / Path(bitstream).name)
    model, options = load_json(out / "manifest.json"), build.options
    archive = build.folder / f"{model['model']}-{options.board}.tar.gz"
    package.finish(out, archive, board=options.target, reason=bits.get("reason", ""))
    return f"{archive}: {model['vectors']} golden vectors, model {model['model_hash'][:8]}"


def write(
    build: Build,
    out: Path,
    *,
    bitstream: str | None = None,
    critical_path: str | None = None,
    accelerator: str = OURS,
) -> None:
    """Leave golden.npz, manifest.json, and the driver with its registers.json in `out`.

    golden.npz has images, the labels and logits that they give, or the `integers` of a network that
    ends in values, and `truth`, their classes, where these are the model's. bitstream: a file in
    `out`; critical_path: of the routed chip.
    """
    source = build.path("golden", "network.npz")
    network = Network.load(source)
    with np.load(build.path("export", "vectors.npz"), allow_pickle=False) as stored:
        images, found, classes = (stored.get(name) for name in ("images", "labels", "classes"))
    expected = golden.run(network, images)
    task = labels.of_build(build, network)
    vectors = {"images": images, **network.end.vectors(expected.labels, expected.logits)}
    if found is not None and task.known:
        vectors["truth"] = labels.truth(task, found, classes, f"--data {build.options.data}")
    save_npz(out / "golden.npz", **vectors)
    manifest = {
        **_of_network(network),
        **_of_build(build),
        "model_hash": model_hash(source),
        "accelerator": accelerator,
        "bitstream": bitstream,
        "critical_path": critical_path,
        "vectors": len(images),
        "labelled": "truth" in vectors,
    }
    if network.end.labelled:
        manifest["classes"] = task.names
    save_json(out / "manifest.json", manifest)
    if accelerator == OURS:
        driver_files.copy(out)
        shutil.copyfile(build.path("emit", "registers.json"), out / "registers.json")


def _of_network(network: Network) -> dict[str, Any]:
    """What a manifest says of the network: what goes in, what comes out, and what logits mean."""
    meaning = {
        "scale": np.asarray(network.scale).tolist(),
        "offset": np.asarray(network.offset).tolist(),
        "floor": network.floor,
    }
    return {
        "model": network.name,
        "input": {
            "shape": [network.height, network.width, network.channels],
            "dtype": "uint8",
            "beat_bytes": network.input_bytes,
        },
        **network.end.manifest(meaning),
    }


def _of_build(build: Build) -> dict[str, Any]:
    """What a manifest says of the board, its clock, and the rate that the folding promises."""
    costs, mhz = load_json(build.path("fold", "costs.json")), build.options.fclk_mhz
    return {
        "board": build.options.board,
        "fclk_mhz": mhz,
        "clock": package.clock(build.options.target, mhz),
        "predicted": {
            "frames_per_second": mhz * 1e6 / costs["cycles"],
            "latency_us": costs["latency_cycles"] / mhz,
            "cycles_per_frame": costs["cycles"],
        },
    }
