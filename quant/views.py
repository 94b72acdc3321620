"""Fixed views of the training images, and what a teacher says of them, kept on disk.

A teacher costs more than the network that it teaches. So it sees each image in a few fixed shifts,
once, and the network sees exactly the same ones (Beyer et al., "Knowledge distillation: A good
teacher is patient and consistent", arXiv 2106.05237).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from quant import distributed
from quant.augment import shifted, sides
from quant.config import Training
from quant.dataset import Task
from quant.errors import CheckpointError
from quant.files import read_tensors, write_tensors
from quant.images import Images

# Images that the teacher sees at once.
_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class LoadedTeacher:
    """A trained float network in evaluation mode, where it was read, and its record."""

    path: Path
    model: nn.Module
    classes: int
    record: dict[str, Any]
    task: Task | None

    @property
    def sha256(self) -> str:
        """Of the file of its weights."""
        return str(self.record["sha256"])

    @property
    def bfloat16(self) -> bool:
        """Whether it was trained in bfloat16, in which it then predicts as well."""
        training = self.record.get("training", {}).get("float", {})
        return bool(training.get("precision") == "bfloat16")


@dataclass(frozen=True, kw_only=True)
class Views:
    """Fixed shifts of every image, with the logits of a teacher.

    `shifts` is int64 (V, 2, N), `mirrored` bool (V, N), both on the CPU; `first` is the view of
    each image in the first epoch, int64 (N,); `logits` is float16 (V, N, classes) on the device.
    """

    reach_px: int
    shifts: Tensor
    mirrored: Tensor
    first: Tensor
    logits: Tensor

    def seen(self, data: Images, which: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """Images as an epoch shows them, and the teacher's logits.

        Each image shows its views in turn, one in an epoch.

        Args:
            data: the images that the views are of.
            which: numbers of images, int64 (N,) on the CPU.
            epoch: from 0.

        Returns:
            Pixels, uint8 (N, C, H, W), and logits, float32 (N, classes).
        """
        view = (self.first[which] + epoch) % len(self.shifts)
        pixels, _ = data.chosen(which)
        shifts = self.shifts[view, :, which].T
        pixels = shifted(pixels, shifts, self.mirrored[view, which], self.reach_px)
        place = self.logits.device
        return pixels, self.logits[view.to(place), which.to(place)].float()


def predict(teacher: LoadedTeacher, training: Training, data: Images, console: Console) -> Views:
    """The views of a training, with the predictions of its teacher.

    What is predicted is kept beside the teacher, a file for each view, so that an interrupted
    prediction goes on, and other trainings with the same views do without the teacher.

    Args:
        teacher: which predicts.
        training: how many views, and of which shifts; `seed` draws them.
        data: images to train on.
        console: where progress goes.

    Raises:
        CheckpointError: if a file of predictions changes while it is read.
        WriteError: if there is no room or no access beside the teacher.
    """
    count, reach = len(data.labels), training.translate_px
    views = range(training.views)
    shifts = torch.stack([_shifts(training.seed, view, count, reach) for view in views])
    mirrored = torch.stack([sides(count, training.seed, view) & training.flip for view in views])
    draw = torch.Generator().manual_seed(training.seed)
    first = torch.randint(0, training.views, (count,), generator=draw)
    identity = {
        "teacher": teacher.sha256,
        "bfloat16": teacher.bfloat16,
        "images": _digest(data),
        "seed": training.seed,
        "translate_px": reach,
        "flip": training.flip,
    }
    text = json.dumps(identity)
    key = hashlib.sha256(text.encode()).hexdigest()[:12]
    folder = teacher.path.parent / f"{teacher.path.stem}-views-{key}"

    def ask(view: int) -> Tensor:
        pixels = shifted(data.pixels, shifts[view], mirrored[view], reach)
        logits = _predicted(teacher, pixels)
        write_tensors(_file(folder, view), {"logits": logits}, {"identity": text})
        console.print(f"teacher  view {view + 1}/{training.views} predicted", highlight=False)
        return logits

    # Of several processes the first predicts, and the others read.
    if distributed.rank() == 0:
        for view in views:
            if _kept(folder, view, text, count, teacher.classes) is None:
                ask(view)
    distributed.wait()
    logits = []
    for view in views:
        found = _kept(folder, view, text, count, teacher.classes)
        if found is None:
            raise CheckpointError(f"{_file(folder, view)}: changed while it was read; start again")
        logits.append(found)
    return Views(
        reach_px=reach,
        shifts=shifts,
        mirrored=mirrored,
        first=first,
        logits=torch.stack(logits).to(data.labels.device),
    )


def _shifts(seed: int, view: int, count: int, reach_px: int) -> Tensor:
    """The shifts of one view, int64 (2, N); those of other views do not depend on their number."""
    digest = hashlib.sha256(f"{seed} view {view}".encode()).digest()
    draw = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    return torch.randint(0, 2 * reach_px + 1, (2, count), generator=draw)


def _digest(data: Images) -> str:
    return hashlib.sha256(data.pixels.cpu().numpy().tobytes()).hexdigest()


def _file(folder: Path, view: int) -> Path:
    return folder / f"view{view:03d}.safetensors"


def _kept(folder: Path, view: int, identity: str, count: int, classes: int) -> Tensor | None:
    """The logits on disk; None if there are none, or others than these."""
    try:
        tensors, metadata = read_tensors(_file(folder, view))
    except CheckpointError:
        return None
    logits = tensors.get("logits")
    if metadata.get("identity") != identity or logits is None:
        return None
    right = logits.dtype == torch.float16 and logits.shape == (count, classes)
    return logits if right else None


@torch.no_grad()
def _predicted(teacher: LoadedTeacher, pixels: Tensor) -> Tensor:
    teacher.model.eval()
    parts = []
    for part in torch.split(pixels, _BATCH):
        part = part.to(torch.float32, memory_format=torch.channels_last)
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=teacher.bfloat16):
            parts.append(teacher.model(part).half().cpu())
    return torch.cat(parts)
