"""What is known of a model's classes: whether the images' labels are of them, and their names.

Labels say something only of a model that was made for them. A model of which nobody says what it
was trained on has no accuracy here, and its classes have numbers unless a user names them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from finn_build.config import Options
from finn_build.errors import ConfigError
from finn_build.flow.pipeline import Build
from finn_build.network.graph import Network
from finn_build.system.files import load_json, parse_json

KEY = "classes"  # of a QONNX file's metadata: a JSON list of names
LONGEST = 64  # characters of a name
UNKNOWN = "no images with labels of this model's classes"
NONE = "it gives values, not labels"


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What is known of a model's task.

    known: whether the labels of the build's images are of its classes; names: of the classes in the
    order of the logits, or None where they have none; data: name of the data set that it was
    trained on, if anybody says so; asked: whether the names are the user's own, who may call a
    class what they like; unknown: why no accuracy is known.
    """

    known: bool
    names: tuple[str, ...] | None
    data: str | None = None
    asked: bool = False
    unknown: str = UNKNOWN


def of_build(build: Build, network: Network) -> Labels:
    """What the command line, the model's record and the model's file say.

    The labels are the model's where its record says so (quant's models) or --data was given. Names
    come from --labels, else from a QONNX file's metadata, else from the record, else from the data
    set. Raises ConfigError for names that cannot be.
    """
    options, count = build.options, network.end.integers
    if not network.end.labelled:
        if options.labels is not None:
            raise ConfigError(f"--labels {options.labels}: {network.name}: {NONE}; leave it out")
        return Labels(known=False, names=None, unknown=NONE)
    record = load_json(build.path("export", "model.json"))
    names = _names(options, count) or _recorded(record, count)
    return Labels(
        known=options.data is not None or record.get("data") is not None,
        names=names,
        data=record.get("data"),
        asked=options.labels is not None,
    )


def _recorded(record: dict[str, Any], count: int) -> tuple[str, ...] | None:
    """The names that the record has: of the model, or of the data set that was given for it."""
    found = record.get("classes")
    return tuple(found) if found is not None and len(found) == count else None


def truth(
    task: Labels, labels: NDArray[np.int64], classes: Sequence[str] | None, where: str
) -> NDArray[np.int64]:
    """Labels (N,) of a data set's images as numbers of the model's classes.

    classes: of the data set, None where they are in the model's order already. They are matched by
    name; classes that the user named are in the data set's order. Raises ConfigError where a name
    has no match.
    """
    names = task.names
    if classes is None or names is None or (task.asked and set(names) != set(classes)):
        return labels
    if set(names) != set(classes):
        lost = sorted(set(names) ^ set(classes))[0]
        raise ConfigError(
            f"{where}: its classes are {_listed(classes)}, the model's are {_listed(names)}; "
            f"{lost} is among one of them alone: use the model's data set, or name the classes of "
            "the model with --labels"
        )
    order = np.array([names.index(name) for name in classes], np.int64)
    return order[labels]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{', '.join(names[:10])}{more}"


def _names(options: Options, count: int) -> tuple[str, ...] | None:
    """Names that somebody gave, by --labels or in the QONNX file."""
    if options.labels is not None:
        return checked(read(options.labels), f"--labels {options.labels}", count)
    model = Path(options.model)
    found = in_metadata(model) if model.suffix == ".onnx" and model.is_file() else None
    return None if found is None else checked(found, f"{model}: metadata {KEY!r}", count)


def read(path: Path) -> tuple[str, ...]:
    """Names from a text file, one a line. Raises ConfigError for a file that has none."""
    where = f"--labels {path}"
    if not path.is_file():
        raise ConfigError(f"{where}: no such file; give a text file with one class name a line")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except ValueError as error:
        raise ConfigError(f"{where}: not UTF-8 text ({error}); save it as UTF-8") from error
    return checked(text.removesuffix("\n").split("\n"), where)


def in_metadata(path: Path) -> tuple[str, ...] | None:
    """Names in the metadata of a QONNX file, or None where it has none.

    Raises ConfigError where what is there is no list of names.
    """
    properties = onnx.load(str(path), load_external_data=False).metadata_props
    texts = [entry.value for entry in properties if entry.key == KEY]
    if not texts:
        return None
    where = f"{path}: metadata {KEY!r}"
    try:
        found = parse_json(texts[-1])
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ConfigError(
            f"{where}: {texts[-1][:LONGEST]!r} is no JSON list of names; write one, or give "
            "--labels FILE"
        )
    return checked(found, where)


def checked(names: Sequence[str], where: str, count: int | None = None) -> tuple[str, ...]:
    """The names, where each can be shown and there are `count`. Raises ConfigError otherwise."""
    seen: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise ConfigError(f"{where}: name {number} is empty; give one class name a line")
        if not name.isprintable() or name != name.strip() or len(name) > LONGEST:
            raise ConfigError(
                f"{where}: name {number}, {name[:LONGEST]!r}: use 1 to {LONGEST} printable "
                "characters without space around them"
            )
        if name in seen:
            raise ConfigError(
                f"{where}: names {seen[name]} and {number} are both {name!r}; give each its own"
            )
        seen[name] = number
    if count is not None and len(names) != count:
        raise ConfigError(
            f"{where}: {len(names)} names, but the model has {count} classes; give {count} names "
            "in the order of the logits"
        )
    return tuple(names)


def reading(data: Path, shape: tuple[int, int, int]) -> list[str | Path]:
    """Words for `quant data` that ask for a data set's test images as a network takes them."""
    height, width, channels = shape
    colour = "grey" if channels == 1 else "rgb"
    return ["--data", data, "--image-size", f"{height}x{width}", "--colour", colour]


def check_fit(data: Path, network: Network) -> None:
    """Raise ConfigError where no data set can say what is right for a network."""
    if not network.end.labelled:
        raise ConfigError(f"--data {data}: {network.name}: {NONE}; leave it out")
    if network.channels not in (1, 3):
        raise ConfigError(
            f"--data {data}: pictures have 1 or 3 channels, but {network.name} takes "
            f"{network.channels}; leave it out"
        )


def check_classes(data: Path, network: Network, classes: Sequence[str]) -> None:
    """Raise ConfigError where a data set has another number of classes than a network."""
    if len(classes) != network.end.integers:
        raise ConfigError(
            f"--data {data}: {len(classes)} classes, {_listed(classes)}, but {network.name} has "
            f"{network.end.integers}; use the model's data set"
        )
