"""The order of the steps and what each depends on."""

from pathlib import Path
from typing import Any

from finn_build.backends import registry
from finn_build.config import DATA, Options
from finn_build.flow.pipeline import Step, digest
from finn_build.system.files import identity


def _model(options: Options) -> Any:
    path = Path(options.model)
    if path.suffix == ".safetensors":
        beside = [identity(path.with_suffix(suffix)) for suffix in (".json", ".npz")]
        return [options.model, identity(path), *beside]
    return [options.model, identity(path) if path.suffix else _zoo(options.model)]


def _images(options: Options) -> Any:
    """The data set that the images of a QONNX file are from; a model of quant brings its own."""
    foreign = Path(options.model).suffix == ".onnx"
    return _data_set(options.data) if foreign and options.data is not None else None


def _data_set(path: Path) -> Any:
    """The files of a data set: pictures lie in a part's folder for each class."""
    return identity(path, deep=2)


def _zoo(name: str) -> Any:
    """The zoo's files of a model; quant's code is found through its files, not imported."""
    root = Path(__file__).parents[3] / "quant"
    return [identity(root), [f for f in identity(root / "zoo") if f[0].startswith(name)]]


def _labels(options: Options) -> Any:
    """Where labels and class names are from: the command line, and a QONNX file's metadata."""
    model = Path(options.model)
    files = [options.labels, model if model.suffix == ".onnx" else None]
    return [options.data is not None, *(path and identity(path) for path in files)]


def _routing(options: Options) -> Any:
    """What place and route depends on: the tool, its databases, and what is asked of it."""
    choice = registry.choose(options)
    if choice.tool is None:
        return [choice]
    chosen = registry.backend(choice.tool)
    read = [digest(options.folder / name) for name in chosen.reads]
    return [choice, chosen.key(options), read, options.target]


def _code(options: Options) -> Any:
    """The code of all steps before the report, which lists it."""
    return [step.code(options) for step in STEPS[:-1]]


STEPS = (
    Step(name="export", options=lambda o: [_model(o), o.pixel_max, o.output, _images(o)]),
    Step(name="streamline", needs=("export",)),
    Step(name="golden", needs=("export", "streamline"), options=lambda o: o.name),
    Step(
        name="accuracy",
        needs=("export", "golden"),
        options=lambda o: [_data_set(o.data or DATA), _labels(o)],
    ),
    Step(
        name="fold",
        needs=("golden",),
        options=lambda o: [
            o.target,
            registry.choose(o).share,
            o.fclk_mhz,
            o.target_fps,
            o.objective,
            o.folding and o.folding.read_bytes(),
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
    Step(name="route", needs=("emit", "synthesise"), options=_routing, chosen=registry.code),
    Step(
        name="bitstream",
        needs=("route",),
        options=lambda o: [o.name, o.fclk_mhz, o.target],
        chosen=registry.code,
    ),
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
        options=lambda o: [o.target, o.clock_mhz, str(o.folder), _model(o), _code(o)],
    ),
)
