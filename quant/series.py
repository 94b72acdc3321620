"""A list of trainings from a TOML file, done in order; what is done already is not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from headrace import tables
from quant import distributed
from quant.errors import CheckpointError, ConfigError
from quant.files import read_json, write_json
from quant.plan import Plan
from quant.prune_plan import PrunePlan
from quant.setting import Setting
from quant.topologies import TEACHER
from quant.zoo import pack_trained

# Of a finished training, in its folder.
DONE = "done.json"
PACKED = "packed"
# Keys that may name a training further up.
_FILES = ("from", "tune", "teacher")
# What a table of a list may ask for.
_COMMANDS: dict[str, type[Plan] | type[PrunePlan]] = {"train": Plan, "prune": PrunePlan}


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One training of a list: its name, its plan, and which earlier ones its plan names."""

    name: str
    plan: Plan | PrunePlan
    after: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _File:
    """What the TOML file holds."""

    training: tuple[dict[str, Any], ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)


def read_series(path: Path, out: Path) -> list[Planned]:
    """The trainings of a TOML file, in order.

    Each of [[training]] has a `name` and the options of `train` with _ for -, `from` among them;
    or `command = "prune"` and the options of that. Where `from`, `tune` or `teacher` is the name
    of a training further up, its result is meant. [defaults] holds for all trainings that do not
    say otherwise, but not for the teacher's and not for a pruning.

    Args:
        path: of the file.
        out: folder that the trainings get theirs in.

    Raises:
        ConfigError: naming file and training, if there is anything wrong or unknown in it.
    """
    file = tables.read(_File, path, "name a .toml file with [[training]]")
    if not file.training:
        raise ConfigError(f"{path}: no trainings; give each a table [[training]] with a name")
    found: dict[str, Planned] = {}
    for number, table in enumerate(file.training):
        where = f"{path}: training[{number}]"
        name = table.get("name")
        if not isinstance(name, str) or not name.replace("-", "_").isidentifier():
            raise ConfigError(f"{where}: name={name!r}; give it a name of letters, digits, _ and -")
        if name in found or name == PACKED:
            raise ConfigError(f"{where}: the name {name} is taken; give it another one")
        own = table.get("network") == TEACHER or table.get("command", "train") != "train"
        merged = table if own else {**file.defaults, **table}
        found[name] = _planned(name, f"{path}: {name}", merged, found, out)
    return list(found.values())


def _planned(
    name: str, where: str, table: dict[str, Any], before: dict[str, Planned], out: Path
) -> Planned:
    values = {key: value for key, value in table.items() if key not in ("name", "command")}
    after = []
    for key in _FILES:
        other = values.get(key)
        if isinstance(other, str) and other in before:
            values[key] = str(before[other].plan.result(out / other))
            after.append(other)
    command = table.get("command", "train")
    if command not in _COMMANDS:
        raise ConfigError(f"{where}: command={command!r}; use {' or '.join(_COMMANDS)}")
    plan = tables.build(_COMMANDS[command], values, where)
    return Planned(name=name, plan=plan, after=tuple(after))


def chosen(plans: list[Planned], names: Sequence[str]) -> list[Planned]:
    """Those trainings of a list, and the ones that they come after; all, if none is named.

    Raises:
        ConfigError: for a name that is not in the list.
    """
    known = {planned.name: planned for planned in plans}
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"{', '.join(unknown)}: not in the list; use {', '.join(known)}")
    needed, left = set[str](), list(names or known)
    while left:
        name = left.pop()
        needed.add(name)
        left += known[name].after
    return [planned for planned in plans if planned.name in needed]


def run_series(
    plans: list[Planned],
    setting: Callable[[], Setting],
    out: Path,
    console: Console,
    *,
    data: Mapping[str, str] | None = None,
    then: Callable[[str], None] = lambda _: None,
) -> dict[str, dict[str, Any]]:
    """Do the trainings in order, each in the folder of its name; the same call resumes.

    A finished quantised model is also packed, as `out`/packed/NAME.safetensors. A training is
    skipped if its result is there and came from the same options and the same files.

    Args:
        plans: of `read_series`.
        setting: gives images and device, once there is something to train.
        out: folder.
        console: where it is told what is done.
        data: what tells the data set from CIFAR-10, as texts by name.
        then: called by the first process with the name of each training that is done.

    Returns:
        The record of each training, by its name.
    """
    ready: Setting | None = None
    records = {}
    for number, planned in enumerate(plans):
        folder, plan = out / planned.name, planned.plan
        stamp = partial(_stamp, plan, data or {})
        label = f"[{number + 1}/{len(plans)}] {planned.name}"
        record = _finished(plan, folder, stamp)
        if record is None:
            console.print(label, markup=False, highlight=False)
            ready = ready or setting()
            record = plan.run(ready, folder)
            distributed.once(partial(_finish, plan, folder, out, stamp))
        records[planned.name] = record
        score = record["accuracy"]["quantised"] or record["accuracy"]["float"]
        console.print(f"{label}  {100 * score:.2f} %", markup=False, highlight=False)
        distributed.once(partial(then, planned.name))
    return records


_Stamp = Callable[[], dict[str, Any]]


def _stamp(plan: Plan | PrunePlan, data: Mapping[str, str]) -> dict[str, Any]:
    """What a finished training came from: its options, and the digests of the files it read."""
    # What has no suffix is the name of a model in the zoo.
    files = {key: path for key, path in plan.files.items() if path is not None and path.suffix}
    digests = {key: _digest(path) for key, path in files.items()}
    return {"plan": json.loads(json.dumps(asdict(plan), default=str)), "files": digests, **data}


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _finished(plan: Plan | PrunePlan, folder: Path, stamp: _Stamp) -> dict[str, Any] | None:
    """The record of a training that is done as planned; None if it is not."""
    result = plan.result(folder)
    if not (folder / DONE).is_file():
        return None
    try:
        done = read_json(folder / DONE)
        if _told(done) != _told({**stamp(), "sha256": _digest(result)}):
            return None
        return read_json(result.with_suffix(".json"))
    except CheckpointError:
        return None


def _told(done: dict[str, Any]) -> dict[str, Any]:
    """A stamp without the options that were not given, which an older one may not know."""
    plan = {key: value for key, value in done.get("plan", {}).items() if value is not None}
    return {**done, "plan": plan}


def _finish(plan: Plan | PrunePlan, folder: Path, out: Path, stamp: _Stamp) -> None:
    result = plan.result(folder)
    if plan.packs:
        pack_trained(str(result), folder.name, out / PACKED)
    write_json(folder / DONE, {**stamp(), "sha256": _digest(result)})
