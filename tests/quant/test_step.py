"""A step's loss and its random numbers, against values worked out here."""

from __future__ import annotations

from math import exp, log

import pytest
import torch

from quant import distributed
from quant.config import Training
from quant.images import Images
from quant.loop import augmented
from quant.step import _loss

LOGITS, TEACHER = (2.0, -1.0, 0.5), (0.0, 3.0, 1.0)


def shares(logits: tuple[float, ...], heat: float) -> list[float]:
    """Softmax of the logits at a temperature, by its definition."""
    powers = [exp(each / heat) for each in logits]
    return [each / sum(powers) for each in powers]


@pytest.mark.parametrize(("heat", "distill"), [(3.0, 0.4), (0.5, 0.9), (1.0, 0.0)])
def test_the_distillation_loss_is_the_one_by_hand(heat: float, distill: float) -> None:
    """Hinton et al.: the teacher's part times the temperature squared, its gradients' scale."""
    label, smoothing = 0, 0.1
    ours = shares(LOGITS, 1.0)
    wanted = [smoothing / 3 + (1.0 - smoothing) * (n == label) for n in range(3)]
    hard = -sum(w * log(p) for w, p in zip(wanted, ours, strict=True))
    taught, told = shares(TEACHER, heat), shares(LOGITS, heat)
    soft = sum(t * log(t / p) for t, p in zip(taught, told, strict=True))
    config = Training(
        epochs=1, distill=distill, distill_temperature=heat, label_smoothing=smoothing
    )
    # The mean over a batch: of two like images it is that of one.
    logits, teacher = (torch.tensor([each, each]) for each in (LOGITS, TEACHER))
    labels = torch.tensor([label, label])
    assert float(_loss(config, logits, labels, teacher)) == pytest.approx(
        (1.0 - distill) * hard + distill * heat * heat * soft, rel=1e-5
    )
    assert float(_loss(config, logits, labels, None)) == pytest.approx(hard, rel=1e-5)


def test_processes_see_the_same_batches_and_drop_out_differently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = torch.randint(0, 256, (32, 3, 8, 8), dtype=torch.uint8)
    data = Images(pixels=pixels, labels=torch.arange(32))
    config = Training(epochs=2, batch=16)

    def drawn(rank: int, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Labels of the first batch, and what dropout draws for it."""
        monkeypatch.setattr(distributed, "rank", lambda: rank)
        batch = next(augmented("float", config, data, epoch))
        return batch.labels, torch.nn.functional.dropout(torch.ones(256))

    first, second, later, again = (drawn(*of) for of in ((0, 0), (1, 0), (0, 1), (0, 0)))
    assert torch.equal(first[0], second[0]), "the order of the images is everybody's"
    assert not torch.equal(first[1], second[1]), "dropout is each process's own"
    assert not torch.equal(first[0], later[0]) and not torch.equal(first[1], later[1])
    assert all(map(torch.equal, first, again))
