"""The order of the steps and what each depends on."""

from pathlib import Path
from typing import Any

from finn_build.backends.bitstream import choose
from finn_build.config import Options
from finn_build.pipeline import Step


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
    root = Path(__file__).parents[2] / "quant"
    return [_content(root), [f for f in _content(root / "zoo") if f[0].startswith(name)]]


STEPS = (
    Step(name="export", options=lambda o: [_model(o), o.pixel_max]),
    Step(name="streamline", needs=("export",)),
    Step(name="golden", needs=("export", "streamline"), options=lambda o: o.name),
    Step(name="accuracy", needs=("export", "golden"), options=lambda o: _content(o.data)),
    Step(
        name="fold",
        needs=("golden",),
        options=lambda o: [
            o.target,
            choose(o.tool).share,
            o.fclk_mhz,
            o.target_fps,
            o.objective,
            o.folding and o.folding.read_text(),
        ],
    ),
    Step(name="emit", needs=("golden", "fold")),
    Step(name="simulate", needs=("export", "golden", "fold", "emit"), options=lambda o: o.images),
    Step(name="synthesise", needs=("fold", "emit"), options=lambda o: o.target),
    Step(name="bitstream", needs=("emit",), options=lambda o: choose(o.tool)),
    Step(
        name="deploy",
        needs=("export", "golden", "bitstream"),
        options=lambda o: [o.board, o.fclk_mhz],
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
            "bitstream",
            "deploy",
        ),
        options=lambda o: [o.target, o.clock_mhz, str(o.folder)],
    ),
)
