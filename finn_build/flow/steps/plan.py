"""The order of the steps and what each depends on."""

from pathlib import Path
from typing import Any

from finn_build.backends.bitstream import choose, open_tools, vendor_tool
from finn_build.backends.openxc7 import asked_mhz
from finn_build.config import DATA, Options
from finn_build.flow import provenance
from finn_build.flow.pipeline import Step, digest


def _content(path: Path) -> Any:
    """Identity of a file or folder that a user names: names, sizes and times of its files."""
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
    return [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]


def _model(options: Options) -> Any:
    path = Path(options.model)
    if path.suffix == ".safetensors":
        return [options.model, _content(path), _content(path.with_suffix(".json"))]
    return [options.model, _content(path) if path.suffix else _zoo(options.model)]


def _zoo(name: str) -> Any:
    """The zoo's files of a model; quant's code is found through its files, not imported."""
    root = Path(__file__).parents[3] / "quant"
    return [_content(root), [f for f in _content(root / "zoo") if f[0].startswith(name)]]


def _labels(options: Options) -> Any:
    """Where labels and class names are from: the command line, and a QONNX file's metadata."""
    model = Path(options.model)
    files = [options.labels, model if model.suffix == ".onnx" else None]
    return [options.data is not None, *(path and _content(path) for path in files)]


def _routing(options: Options) -> Any:
    """What place and route depends on: the tool, its databases, and what is asked of it."""
    choice = choose(options)
    if choice.tool == "vivado":
        vendor = vendor_tool(options)
        return [choice, vendor, _content(vendor.program), options.target, options.fclk_mhz]
    if choice.tool == "finn":
        needed = [digest(options.folder / name) for name in ("export", "golden", "fold")]
        return [choice, options.vivado, needed, options.target, options.fclk_mhz]
    if choice.tool is None:
        return [choice]
    setup = open_tools(options)
    tools = [_content(path) for path in (setup.nextpnr, setup.chipdb) if path is not None]
    return [choice, setup, tools, options.target, options.seeds, asked_mhz(options.fclk_mhz)]


def _code() -> Any:
    """The code of all steps but the last, whose report says what it was made by."""
    return [provenance.fingerprint(step.module) for step in STEPS[:-1]]


STEPS = (
    Step(name="export", options=lambda o: [_model(o), o.pixel_max]),
    Step(name="streamline", needs=("export",)),
    Step(name="golden", needs=("export", "streamline"), options=lambda o: o.name),
    Step(
        name="accuracy",
        needs=("export", "golden"),
        options=lambda o: [_content(o.data or DATA), _labels(o)],
    ),
    Step(
        name="fold",
        needs=("golden",),
        options=lambda o: [
            o.target,
            choose(o).share,
            o.fclk_mhz,
            o.target_fps,
            o.objective,
            o.folding and o.folding.read_text(),
        ],
    ),
    Step(name="emit", needs=("golden", "fold")),
    Step(name="simulate", needs=("export", "golden", "fold", "emit"), options=lambda o: o.images),
    Step(name="synthesise", needs=("fold", "emit"), options=lambda o: o.target),
    Step(
        name="netlist",
        needs=("export", "golden", "fold", "emit", "synthesise"),
        options=lambda o: o.netlist_images,
    ),
    Step(name="route", needs=("emit", "synthesise"), options=_routing),
    Step(name="bitstream", needs=("route",), options=lambda o: [o.name, o.fclk_mhz, o.target]),
    Step(
        name="deploy",
        needs=("export", "golden", "fold", "emit", "route", "bitstream"),
        options=lambda o: [o.target, o.fclk_mhz, str(o.folder), _labels(o)],
    ),
    Step(
        name="report",
        needs=(
            "export",
            "golden",
            "accuracy",
            "fold",
            "simulate",
            "synthesise",
            "netlist",
            "route",
            "bitstream",
            "deploy",
        ),
        options=lambda o: [o.target, o.clock_mhz, str(o.folder), _model(o), _code()],
    ),
)
