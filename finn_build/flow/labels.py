"""What is known of a model's classes: whether the images' labels are of them, and their names.

The images that a build runs are CIFAR-10's wherever their shape fits, but their labels say
something only of a model that was made for them. A model of another task has no accuracy here, and
its classes have numbers unless a user names them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from finn_build.config import Options
from finn_build.errors import ConfigError
from finn_build.flow.pipeline import Build
from finn_build.network.graph import Network
from finn_build.system.files import load_json, parse_json

CIFAR10 = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
SHAPE = (32, 32, 3)  # of CIFAR-10's images
KEY = "classes"  # of a QONNX file's metadata: a JSON list of names
LONGEST = 64  # characters of a name
UNKNOWN = "no images with labels of this model's classes"
NONE = "it gives values, not labels"


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What is known of a model's task.

    known: whether the labels of CIFAR-10's images are of its classes; names: of the classes in the
    order of the logits, or None where they have none; unknown: why no accuracy is known.
    """

    known: bool
    names: tuple[str, ...] | None
    unknown: str = UNKNOWN


def of_build(build: Build, network: Network) -> Labels:
    """What the command line, the model's record and the model's file say.

    The labels are the model's where its record says so (quant's models) or --data was given. Names
    come from --labels, else from a QONNX file's metadata, else from whatever made the labels known.
    Raises ConfigError for names that cannot be.
    """
    options, count = build.options, network.end.integers
    if not network.end.labelled:
        if options.labels is not None:
            raise ConfigError(f"--labels {options.labels}: {network.name}: {NONE}; leave it out")
        return Labels(known=False, names=None, unknown=NONE)
    record = load_json(build.path("export", "model.json"))
    known = options.data is not None or record.get("data") == "cifar10"
    names = _names(options, count)
    if names is None and known:
        names = tuple(record.get("classes") or CIFAR10)
        names = names if len(names) == count else None
    return Labels(known=known, names=names)


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
    """Names in the metadata of a QONNX file, or None where it has none."""
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


def check_fit(data: Path, network: Network) -> None:
    """Raise ConfigError where a network cannot be scored on CIFAR-10's images."""
    shape, count = (network.height, network.width, network.channels), network.end.integers
    if not network.end.labelled:
        raise ConfigError(f"--data {data}: {network.name}: {NONE}; leave it out")
    if shape != SHAPE or count != len(CIFAR10):
        theirs, ours = (" x ".join(map(str, sizes)) for sizes in (SHAPE, shape))
        raise ConfigError(
            f"--data {data}: CIFAR-10's images are {theirs}, of {len(CIFAR10)} classes, but "
            f"{network.name} takes {ours} and has {count} classes; leave --data out"
        )
