"""Collect what goes to the board: bitstream, golden vectors, a manifest of the accelerator."""

import shutil
from pathlib import Path

import numpy as np

from finn_build import golden, package
from finn_build.backends import finn
from finn_build.chip import model_hash
from finn_build.config import class_names
from finn_build.files import load_json, save_json, save_npz
from finn_build.layers import Network
from finn_build.pipeline import Build


def run(build: Build, out: Path) -> str:
    """Leave the bitstream, golden.npz (images, labels, logits), manifest.json and README.md.

    All of it goes to the build's root as one archive, too.
    """
    source = build.path("golden", "network.npz")
    network = Network.load(source)
    with np.load(build.path("export", "vectors.npz"), allow_pickle=False) as stored:
        images = stored["images"]
    expected = golden.run(network, images)
    save_npz(out / "golden.npz", images=images, labels=expected.labels, logits=expected.logits)
    classes = network.mvtus[-1].rows
    made = load_json(build.path("bitstream", "result.json"))
    bitstream = made["path"]
    if made.get("tool") == "finn":  # its bitstream and settings as its own driver expects them
        shutil.copytree(build.path("route", f"{finn.OUTPUT}/deploy"), out, dirs_exist_ok=True)
    if bitstream is not None:
        shutil.copyfile(build.folder / bitstream, out / Path(bitstream).name)
    identity = model_hash(source)
    manifest = {
        "model": network.name,
        "model_hash": identity,
        "board": build.options.board,
        "accelerator": "finn" if made.get("tool") == "finn" else "headrace",
        "bitstream": bitstream and Path(bitstream).name,
        "fclk_mhz": build.options.fclk_mhz,
        "clock": package.clock(build.options.target, build.options.fclk_mhz),
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
    archive = build.folder / f"{network.name}-{build.options.board}.tar.gz"
    package.finish(out, archive, board=build.options.target, reason=made.get("reason", ""))
    return f"{archive}: {len(images)} golden vectors, model {identity[:8]}"
