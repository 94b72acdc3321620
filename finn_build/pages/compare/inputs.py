"""Find and read the reports of builds and the results of boards that are to be compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finn_build.driver import results
from finn_build.driver.errors import ResultsError
from finn_build.errors import ConfigError
from finn_build.pages import report
from finn_build.system.files import load_json

REPORT = "report.json"
NAMES = (REPORT, "results.json")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that was read: a build's report or a board's results."""

    file: Path
    content: dict[str, Any]


@dataclass(kw_only=True)
class Inputs:
    """All that is to be compared; skipped: paths that hold nothing of it."""

    reports: list[Source] = field(default_factory=list)
    results: list[Source] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)


def read(paths: Sequence[Path]) -> Inputs:
    """Read files, builds' folders and folders of such; what is neither is skipped.

    Raises ConfigError where a path does not exist, a file is damaged or of another version, two
    files describe the same thing, or nothing is left to compare.
    """
    inputs = Inputs()
    for path in paths:
        if not path.exists():
            raise ConfigError(f"{path}: no such file or folder; give builds or results.json files")
        found = _files(path) if path.is_dir() else [path]
        before = len(inputs.reports) + len(inputs.results)
        for file in found:
            _add(inputs, file)
        if len(inputs.reports) + len(inputs.results) == before:
            inputs.skipped.append(path)
    if not inputs.reports and not inputs.results:
        raise ConfigError(
            f"{', '.join(map(str, paths))}: no report.json and no results.json; "
            "finish a build first (./build.sh pynq-z2) or name its folder"
        )
    _refuse_twins(inputs.reports, _build_of)
    _refuse_twins(inputs.results, _board_of)
    return inputs


def _files(folder: Path, below: int = 2) -> list[Path]:
    """Reports and results of a folder and, where it is no build, of the folders `below` it."""
    here = [folder / name for name in NAMES if (folder / name).is_file()]
    if below == 0 or folder / REPORT in here:
        return here
    inner = sorted(p for p in folder.iterdir() if p.is_dir())
    return here + [file for inside in inner for file in _files(inside, below - 1)]


def _add(inputs: Inputs, file: Path) -> None:
    if file.suffix != ".json":
        return
    try:
        content = load_json(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: not JSON ({error}); make it again or leave it out") from error
    said = content.get("format") if isinstance(content, dict) else None
    if said == results.FORMAT or file.name == "results.json":
        try:
            inputs.results.append(Source(file=file, content=results.load(file)))
        except ResultsError as error:
            raise ConfigError(str(error)) from error
    elif file.name == REPORT or (isinstance(content, dict) and "folding" in content):
        inputs.reports.append(Source(file=file, content=report.read(file)))


def _build_of(source: Source) -> str:
    build = source.content
    tool = build["bitstream"].get("tool") or build["resources"]["source"]
    clock = build["clock"]["fclk_mhz"]
    return f"{build['model']['name']} on {build['board']['name']}, {tool}, {clock:g} MHz"


def _board_of(source: Source) -> str:
    run = source.content
    names = ("model", "board", "where", "device", "fclk_mhz")
    return ", ".join(str(run[name]) for name in names)


def _refuse_twins(sources: Sequence[Source], name: Callable[[Source], str]) -> None:
    seen: dict[str, Path] = {}
    for source in sources:
        what = name(source)
        if what in seen:
            raise ConfigError(f"{seen[what]} and {source.file}: both are {what}; leave one out")
        seen[what] = source.file
