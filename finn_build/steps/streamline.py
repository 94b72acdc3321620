"""Streamline the QONNX model with FINN."""

from pathlib import Path

from finn_build.pipeline import Build
from finn_build.transforms import stages


def run(build: Build, out: Path) -> str:
    """Leave streamlined.onnx, lowered.onnx and hardware.onnx in `out`."""
    model = stages.load(str(build.path("export", "model.onnx")))
    before = len(model.graph.node)
    streamlined = stages.streamline(stages.convert(model))
    streamlined.save(str(out / "streamlined.onnx"))
    lowered = stages.lower(streamlined)
    lowered.save(str(out / "lowered.onnx"))
    hardware = stages.to_hardware(lowered)
    hardware.save(str(out / "hardware.onnx"))
    return f"{before} nodes to {len(hardware.graph.node)} hardware layers"
