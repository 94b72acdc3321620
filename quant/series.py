"""A list of trainings from a TOML file, done in order; what is done already is not done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from headrace import tables
from quant import distributed
from quant.errors import CheckpointError, ConfigError
from quant.files import read_json, write_json
from quant.networks import TEACHER
from quant.plan import FLOAT, Plan
from quant.train import Setting
from quant.zoo import pack_trained

# Of a finished training, in its folder.
DONE = "done.json"
PACKED = "packed"
# Keys that may name a training further up.
_FILES = ("from", "tune", "teacher")


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One training of a list: its name, its plan, and which earlier ones its plan names."""

    name: str
    plan: Plan


@dataclass(frozen=True, kw_only=True)
class _File:
    """What the TOML file holds."""

    training: tuple[dict[str, Any], ...] = ()
    defaults: dict[str, Any] = field(default_factory=dict)


def read_series(path: Path, out: Path) -> list[Planned]:
    """The trainings of a TOML file, in order.

    Each of [[training]] has a `name` and the options of `train` with _ for -, `from` among them.
    Where `from`, `tune` or `teacher` is the name of a training further up, its result is meant.
    [defaults] holds for all trainings that do not say otherwise, but not for the teacher's.

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
        merged = table if table.get("network") == TEACHER else {**file.defaults, **table}
        found[name] = Planned(name=name, plan=_plan(f"{path}: {name}", merged, found, out))
    return list(found.values())


def _plan(where: str, table: dict[str, Any], before: dict[str, Planned], out: Path) -> Plan:
    values = {key: value for key, value in table.items() if key != "name"}
    for key in _FILES:
        name = values.get(key)
        if isinstance(name, str) and name in before:
            values[key] = str(before[name].plan.result(out / name))
    return tables.build(Plan, values, where)


def run_series(
    plans: list[Planned], setting: Callable[[], Setting], out: Path, console: Console
) -> dict[str, dict[str, Any]]:
    """Do the trainings in order, each in the folder of its name; the same call resumes.

    A finished quantised model is also packed, as `out`/packed/NAME.safetensors. A training is
    skipped if its result is there and came from the same options and the same files.

    Args:
        plans: of `read_series`.
        setting: gives images and device, once there is something to train.
        out: folder.
        console: where it is told what is done.

    Returns:
        The record of each training, by its name.
    """
    ready: Setting | None = None
    records = {}
    for number, planned in enumerate(plans):
        folder, plan = out / planned.name, planned.plan
        label = f"[{number + 1}/{len(plans)}] {planned.name}"
        record = _finished(plan, folder)
        if record is None:
            console.print(label, markup=False, highlight=False)
            ready = ready or setting()
            record = plan.run(ready, folder)
            distributed.once(partial(_finish, plan, folder, out))
        records[planned.name] = record
        score = record["accuracy"]["quantised"] or record["accuracy"]["float"]
        console.print(f"{label}  {100 * score:.2f} %", markup=False, highlight=False)
    return records


def _stamp(plan: Plan) -> dict[str, Any]:
    """What a finished training came from: its options, and the digests of the files it read."""
    used = {"from": plan.start, "tune": plan.tune, "teacher": plan.teacher}
    files = {k: Path(v) for k, v in used.items() if v is not None and Path(v).suffix}
    digests = {key: _digest(path) for key, path in files.items()}
    return {"plan": json.loads(json.dumps(asdict(plan), default=str)), "files": digests}


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _finished(plan: Plan, folder: Path) -> dict[str, Any] | None:
    """The record of a training that is done as planned; None if it is not."""
    result = plan.result(folder)
    if not (folder / DONE).is_file():
        return None
    try:
        if read_json(folder / DONE) != {**_stamp(plan), "sha256": _digest(result)}:
            return None
        return read_json(result.with_suffix(".json"))
    except CheckpointError:
        return None


def _finish(plan: Plan, folder: Path, out: Path) -> None:
    result = plan.result(folder)
    if plan.network != TEACHER and plan.bits != FLOAT:
        pack_trained(str(result), folder.name, out / PACKED)
    write_json(folder / DONE, {**_stamp(plan), "sha256": _digest(result)})
