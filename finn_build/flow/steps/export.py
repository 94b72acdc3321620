"""Get the QONNX model, its record and its test vectors from quant, or take a user's QONNX file."""

from pathlib import Path

import numpy as np

from finn_build import frontend
from finn_build.backends import tools
from finn_build.config import VECTORS
from finn_build.errors import ConfigError
from finn_build.flow import labels
from finn_build.flow.pipeline import Build
from finn_build.frontend.tidy import LEFT_OUT
from finn_build.frontend.walk import image_of
from finn_build.system.files import load_json, save_json, save_npz


def run(build: Build, out: Path) -> str:
    """Leave model.onnx, vectors.npz and model.json in `out`.

    quant runs in a process of its own; the files are all that the two packages share.
    """
    model = build.options.model
    log = build.log("export")
    if Path(model).suffix == ".onnx":
        _take(Path(model), build, out)
    else:
        tools.run_module("quant", "export", "--model", model, "--out", out, log=log)
    record = load_json(out / "model.json")
    accuracy = (record.get("accuracy") or {}).get("quantised")
    known = "" if accuracy is None else f", {100 * accuracy:.2f} % in training's record"
    left = f", without {record['left_out']}" if record.get("left_out") else ""
    return f"{record['network']}{known}{left}"


def _take(source: Path, build: Build, out: Path) -> None:
    """Use a QONNX file; its images are of --data, else quant's sample where the shape fits."""
    if not source.is_file():
        raise ConfigError(f"{source}: no such file; give a zoo name or an existing QONNX file")
    graph = frontend.load(source)
    if build.options.pixel_max != 255:
        graph = frontend.scaled(graph, build.options.pixel_max)
    if build.options.output != "auto":
        graph = frontend.ask(graph, build.options.output)
    image = image_of(graph)
    (out / "model.onnx").write_bytes(frontend.with_shapes(graph).SerializeToString())
    vectors, record = out / "vectors.npz", {"network": source.stem}
    data = build.options.data
    if data is not None and image.channels in (1, 3):
        asked = labels.reading(data, (image.height, image.width, image.channels))
        log = build.log("export")
        tools.run_module("quant", "data", *asked, "--sample", "--out", vectors, log=log)
        with np.load(vectors, allow_pickle=False) as stored:
            record["classes"] = stored["classes"].tolist()
    elif (image.channels, image.height, image.width) == (3, 32, 32):
        tools.run_module("quant", "data", "--sample", "--out", vectors, log=build.log("export"))
    else:
        shape = (VECTORS, image.height, image.width, image.channels)
        random = np.random.default_rng(1).integers(0, 256, shape)
        save_npz(vectors, images=random.astype(np.uint8))
    left = [p.value for p in graph.metadata_props if p.key == LEFT_OUT and p.value]
    save_json(out / "model.json", {**record, "left_out": "".join(left)})
