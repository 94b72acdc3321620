"""The deploy folder: what the build says about the accelerator, and the files beside that."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import outputs
from .errors import DeployError
from .outputs import Output
from .registers import USED

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AGAIN = "copy the whole deploy folder of one build to the board again"
# Fields that every manifest.json has; a point leads into an object.
_FIELDS = (
    "model",
    "model_hash",
    "board",
    "bitstream",
    "fclk_mhz",
    "clock.ps_clk_mhz",
    "input.shape",
    "output.words",
)


@dataclass(frozen=True)
class Manifest:
    """manifest.json and registers.json.

    shape: of an image, (H, W, C); output: what the words of a result are; predicted: the build's
    {frames_per_second, latency_us, cycles_per_frame}, or None; critical_path: of the routed chip,
    or None; crystal_mhz: of the processors' clock; registers: {name: {offset, count, fields}}.
    """

    folder: Path
    model: str
    model_hash: str
    board: str
    bitstream: Path
    fclk_mhz: float
    crystal_mhz: float
    shape: tuple[int, int, int]
    output: Output
    predicted: dict[str, float] | None
    critical_path: str | None
    registers: dict[str, Any]

    @property
    def image_bytes(self) -> int:
        """Bytes of an image."""
        height, width, channels = self.shape
        return height * width * channels

    @property
    def words(self) -> int:
        """32-bit words of a result: the label and the logits, or the values."""
        return self.output.words

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, or numbers where they have none; empty where it gives values."""
        return self.output.classes

    def values(self, integers: NDArray[Any]) -> NDArray[Any]:
        """What logits (N, CLASSES), or the words of values (N, WORDS), are in the trained network.

        Values have the shape (N, ...) that the model's file gives them.
        """
        return self.output.values(integers)

    def expected(self, vectors: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """The words (N, WORDS) that the images of `golden` must give."""
        return np.column_stack([vectors[name] for name in self.output.vectors])

    def golden(self) -> dict[str, NDArray[Any]]:
        """golden.npz: images, the results that they must give, their true classes.

        Results are `labels` and `logits`, or `integers` where the model gives values.

        The true classes, `truth`, are not there where the images are not of the model's classes.
        Raises DeployError.
        """
        path = self.folder / "golden.npz"
        try:
            with np.load(path, allow_pickle=False) as stored:
                vectors = dict(stored)
        except (OSError, ValueError) as error:
            raise DeployError(f"{path}: not readable ({error}); {_AGAIN}") from error
        missing = {"images", *self.output.vectors} - set(vectors)
        if missing or vectors["images"].shape[1:] != self.shape:
            raise DeployError(f"{path}: not the vectors of {self.model}; {_AGAIN}")
        return vectors


def load(folder: Path) -> Manifest:
    """Read a deploy folder. Raises DeployError for what is missing or makes no sense."""
    path = folder / "manifest.json"
    found = _json(path)
    missing = [field for field in (*_FIELDS, *outputs.fields(found)) if not _has(found, field)]
    if missing:
        raise DeployError(
            f"{path}: no manifest of this driver, {', '.join(missing)} missing; {_AGAIN}"
        )
    try:
        bitstream = found["bitstream"]
        manifest = Manifest(
            folder=folder,
            model=str(found["model"]),
            model_hash=str(found["model_hash"]),
            board=str(found["board"]),
            bitstream=folder / str(bitstream),
            fclk_mhz=float(found["fclk_mhz"]),
            crystal_mhz=float(found["clock"]["ps_clk_mhz"]),
            shape=_shape(found["input"]["shape"]),
            output=outputs.read(found),
            predicted=_predicted(found),
            critical_path=found.get("critical_path"),
            registers=_registers(folder / "registers.json"),
        )
        words = len(found["output"]["words"])
        digests = dict(found.get("files", {}))
    except (TypeError, ValueError) as error:
        raise DeployError(f"{path}: no manifest of this driver ({error}); {_AGAIN}") from error
    if words != manifest.words:
        raise DeployError(
            f"{path}: {words} words of output for {len(manifest.classes)} classes; {_AGAIN}"
        )
    if bitstream is None:
        raise DeployError(
            f"{path}: this build made no bitstream; install the tools that `./build.sh doctor` "
            "names, build again and copy the deploy folder again"
        )
    if not manifest.bitstream.is_file():
        raise DeployError(f"{manifest.bitstream}: no such file; {_AGAIN}")
    _check(folder, digests, (manifest.bitstream.name, "golden.npz"))
    return manifest


def _has(found: Any, field: str) -> bool:
    """Whether JSON has a field, and objects around it."""
    for name in field.split("."):
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return True


def _registers(path: Path) -> dict[str, Any]:
    """registers.json. Raises DeployError where it lacks a register that the driver uses."""
    found = _json(path)
    needed = [f"{name}.{field}" for name in USED for field in ("offset", "count", "fields")]
    needed += [f"{name}.fields.{bit}.low" for name, bits in USED.items() for bit in bits]
    missing = [field for field in needed if not _has(found, field)]
    if missing:
        raise DeployError(f"{path}: no registers of this driver, {missing[0]} is missing; {_AGAIN}")
    registers: dict[str, Any] = found
    return registers


def _predicted(found: dict[str, Any]) -> dict[str, float] | None:
    """The build's prediction, or None. Raises ValueError for what is neither."""
    made = found.get("predicted")
    if made is not None and not isinstance(made, dict):
        raise ValueError("predicted is not an object")
    return made


def _check(folder: Path, digests: dict[str, str], names: tuple[str, ...]) -> None:
    """Compare files with the manifest's SHA-256, so that a broken copy is not loaded."""
    for path in (folder / name for name in names if name in digests):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != digests[path.name]:
            raise DeployError(f"{path}: not the file that manifest.json describes; {_AGAIN}")


def _shape(values: Any) -> tuple[int, int, int]:
    height, width, channels = map(int, values)
    return height, width, channels


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise DeployError(f"{path}: no such file; {_AGAIN}") from None
    except (OSError, ValueError) as error:
        raise DeployError(f"{path}: not readable ({error}); {_AGAIN}") from error
