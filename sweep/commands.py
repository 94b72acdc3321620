"""What the commands do once their options are read; imports all that trains and builds."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from headrace.program import command_line
from headrace.terminal import say
from quant.config import Colour
from quant.config_json import network_to_json
from quant.data import CIFAR10, Task, open_data, task_of
from quant.data import image_size as sides
from quant.places import ZOO
from quant.zoo import pack_trained
from sweep import result
from sweep.cluster import RayWorkers, installed
from sweep.compare import load as load_result
from sweep.compare import markdown, plot
from sweep.config import Sweep, load
from sweep.design import base_network
from sweep.engine import OneProcess, Workers
from sweep.errors import ConfigError, FailedError, UnreachableError
from sweep.job import Place
from sweep.progress import Progress
from sweep.stages import Search
from sweep.table import Row, Table, stored

# In a table's identity: the data set, where it is not CIFAR-10.
_DATA = "data"


def run(
    file: Path,
    out: Path | None,
    *,
    workers: int | None,
    address: str | None,
    hardware: bool,
    data: Path,
    image_size: str | None,
    colour: Colour,
    cache: Path,
) -> None:
    """Search, or go on; hardware: stop before the first training.

    Raises ConfigError for words that do not go together, FailedError where no trial came through.
    """
    sweep = load(file)
    if workers is not None and (workers < 1 or address is not None):
        raise ConfigError(f"--workers {workers}: use 1 or more, and leave --address out")
    console = Console(highlight=False)
    folder = _folder(out, file)
    size = None if image_size is None else sides(image_size)
    place = replace(_place(sweep, folder, data, cache), size=size, colour=colour)
    task, files = _data(place)
    with Table(folder, identity(sweep, task, files)) as table:
        team = _team(sweep, place, workers, address)
        try:
            with Progress(console, team.name) as progress:
                search = Search(
                    sweep,
                    table,
                    team,
                    task=task,
                    files=files,
                    begin=progress.begin,
                    ended=progress.ended,
                )
                found = search.planned() if hardware else search.run()
        except UnreachableError:
            result.write(folder, table)
            raise
        finally:
            team.close()
        result.write(folder, table)
        rows = table.rows()
    if not found:
        raise FailedError(_nothing(rows))
    wide = console if console.is_terminal else Console(highlight=False, width=160)
    wide.print(result.costed_table(rows) if hardware else result.front_table(rows))
    console.print(f"trials: {result.states(rows)}", markup=False, soft_wrap=True)
    console.print(f"{folder / 'front.html'}: the front, and why all others are not", soft_wrap=True)


def export(file: Path, trial: str, name: str, out: Path | None, into: Path) -> None:
    """Write a trial's model as `into`/NAME.safetensors. Raises ConfigError where there is none."""
    folder = _folder(out, file)
    sweep, kept = load(file), stored(folder, _DATA)
    task, files = (_told(kept["task"]), kept["files"]) if kept else (CIFAR10, "")
    with Table(folder, identity(sweep, task, files)) as table:
        rows = {row.id: row for row in table.rows()}
    if trial not in rows:
        some = ", ".join(key for key, row in rows.items() if row.values["model"]) or "(none yet)"
        raise ConfigError(f"{trial}: no trial of {folder}; trained ones: {some}")
    row = rows[trial]
    if row.values["model"] is None:
        why = f": {row.why}" if row.why else ""
        raise ConfigError(f"{trial}: was not trained, {row.state}{why}; use a trained one")
    weights = pack_trained(str(folder / row.values["model"]), name, into)
    say(f"{weights}: {row.label}, {row.values['accuracy']:.2%} of the test images")
    say(_build_command(row, folder, name if into == ZOO else str(weights)))


def compare(results: Sequence[Path], picture: Path | None) -> None:
    """Print what several sweeps found, and draw it where `picture` is given."""
    found = [load_result(path) for path in results]
    if picture:
        plot(found, picture)
    say(markdown(found).rstrip("\n"))


def _build_command(row: Row, folder: Path, model: str) -> str:
    """What builds the exported model as the sweep did, or would have."""
    settings = json.loads(row.values["settings"])
    words = ["./build.sh", settings["board"], "--model", model]
    words += ["--clock-mhz", f"{settings['clock_mhz']:g}"]
    if row.values["report"]:
        folding = (folder / row.values["report"]).parent / "fold" / "folding.json"
        words += ["--folding", str(folding)]
    elif settings["target_fps"]:
        words += ["--target-fps", f"{settings['target_fps']:g}"]
    return " ".join(words)


def _told(kept: dict[str, Any]) -> Task:
    return task_of(kept["name"], tuple(kept["shape"]), kept["classes"])


def _data(place: Place) -> tuple[Task, str]:
    """The data set's task and files; without a data set costs are those of CIFAR-10."""
    if not place.data.exists():
        return CIFAR10, ""
    data = open_data(
        place.data, size=place.size, colour=place.colour, cache=place.cache, whole=False
    )
    return data.task, data.files


def identity(sweep: Sweep, task: Task = CIFAR10, files: str = "") -> dict[str, Any]:
    """What a table must agree with: space and training by key, the networks, the data set."""
    recipe = sweep.training.recipe
    networks = {
        f"network {name}": network_to_json(base_network(name, recipe, task))
        for name in sweep.space.networks
    }
    settings = {"space": asdict(sweep.space), "training": asdict(sweep.training)}
    known = {"name": task.name, "shape": list(task.shape), "classes": list(task.classes)}
    other = files or task != CIFAR10
    data = {_DATA: {"task": known, "files": files}} if other else {}
    return {**_flat(settings), **networks, **data}


def _flat(value: dict[str, Any], place: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, inner in value.items():
        name = f"{place}{key}"
        found |= _flat(inner, f"{name}.") if isinstance(inner, dict) else {name: inner}
    return found


def _folder(out: Path | None, file: Path) -> Path:
    return (out or Path("runs") / f"sweep-{file.stem}").resolve()


def _place(sweep: Sweep, folder: Path, data: Path, cache: Path) -> Place:
    engine = sweep.engine
    return Place(
        root=folder,
        data=data.resolve(),
        cache=cache.resolve(),
        command=command_line(),
        device=engine.device,
        compiled=engine.compiled,
        cpus=engine.cpus,
        processes=engine.processes,
    )


def _team(sweep: Sweep, place: Place, workers: int | None, address: str | None) -> Workers:
    """Ray where it is asked for, or installed and of use; else this process."""
    cores = workers or len(os.sched_getaffinity(0))
    if address is None and (cores == 1 or (workers is None and not installed())):
        return OneProcess(place)
    return RayWorkers(place, sweep.engine, address, cores)


def _nothing(rows: list[Row]) -> str:
    """Why no candidate is left, where no constraint is to blame."""
    failed = [row for row in rows if row.state == "failed"]
    first = failed[0] if failed else rows[0]
    return (
        f"no trial was finished, {len(failed)} of {len(rows)} failed; the first, {first.label}: "
        f"{first.why}; mend that and use the same command again"
    )
