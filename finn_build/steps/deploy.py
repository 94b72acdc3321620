"""Collect what goes to the board: bitstream, driver, golden vectors, manifest and registers."""

import shutil
from pathlib import Path

import numpy as np

from finn_build import driver_files, golden
from finn_build.chip import model_hash
from finn_build.config import class_names
from finn_build.files import load_json, save_json, save_npz
from finn_build.layers import Network
from finn_build.pipeline import Build

FILES = driver_files.FILES


def run(build: Build, out: Path) -> str:
    """Leave what `write` does and the bitstream in `out`."""
    bitstream = load_json(build.path("bitstream", "result.json"))["path"]
    if bitstream is not None:
        shutil.copyfile(build.folder / bitstream, out / Path(bitstream).name)
    path = load_json(build.path("route", "result.json")).get("path")
    return write(build, out, bitstream=bitstream and Path(bitstream).name, critical_path=path)


def write(build: Build, out: Path, *, bitstream: str | None, critical_path: str | None) -> str:
    """Leave the driver, golden.npz, manifest.json and registers.json in `out`.

    golden.npz has images, the labels and logits that they give, and `truth`, their classes, where
    these are known. bitstream: a file in `out`; critical_path: of the routed chip.
    """
    source = build.path("golden", "network.npz")
    network = Network.load(source)
    with np.load(build.path("export", "vectors.npz"), allow_pickle=False) as stored:
        images, truth = stored["images"], stored.get("labels")
    expected = golden.run(network, images)
    classes = network.mvtus[-1].rows
    vectors = {"images": images, "labels": expected.labels, "logits": expected.logits}
    if truth is not None and truth.max() < classes:
        vectors["truth"] = truth
    save_npz(out / "golden.npz", **vectors)
    driver_files.copy(out)
    shutil.copyfile(build.path("emit", "registers.json"), out / "registers.json")
    identity = model_hash(source)
    costs, mhz = load_json(build.path("fold", "costs.json")), build.options.fclk_mhz
    manifest = {
        "model": network.name,
        "model_hash": identity,
        "board": build.options.board,
        "bitstream": bitstream,
        "fclk_mhz": mhz,
        "predicted": {
            "frames_per_second": mhz * 1e6 / costs["cycles"],
            "latency_us": costs["latency_cycles"] / mhz,
            "cycles_per_frame": costs["cycles"],
        },
        "critical_path": critical_path,
        "input": {
            "shape": [network.height, network.width, network.channels],
            "dtype": "uint8",
            "beat_bytes": network.input_bytes,
        },
        "output": {"words": ["label", *(f"logit{i}" for i in range(classes))], "dtype": "int32"},
        "logit_scale": network.scale,
        "logit_offset": network.offset,
        "classes": class_names(classes),
    }
    save_json(out / "manifest.json", manifest)
    return f"{len(images)} golden vectors, model {identity[:8]}"
