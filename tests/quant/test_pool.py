from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from quant.pool import MaxPool, first_maximum


@pytest.mark.parametrize(("size", "height", "width"), [(2, 8, 6), (2, 7, 5), (3, 9, 11), (4, 4, 4)])
def test_comparisons_give_the_values_and_gradients_of_pytorch_with_many_equals(
    size: int, height: int, width: int
) -> None:
    draw = torch.Generator().manual_seed(1)
    x = torch.randint(0, 3, (2, 3, height, width), generator=draw).float()
    weights = torch.randn(2, 3, height // size, width // size, generator=draw)

    def run(pool: Callable[[Tensor, int], Tensor]) -> tuple[Tensor, Tensor]:
        own = x.clone().requires_grad_()
        out = pool(own, size)
        (out * weights).sum().backward()  # type: ignore[no-untyped-call]
        assert own.grad is not None
        return out.detach(), own.grad

    (expected, slope), (found, own_slope) = run(max_pool2d), run(first_maximum)
    assert torch.equal(found, expected)
    assert torch.equal(own_slope, slope)


def test_only_compiled_training_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = MaxPool(2), torch.rand(1, 1, 4, 4)
    assert isinstance(layer, nn.MaxPool2d)
    asked = []
    monkeypatch.setattr("quant.pool.first_maximum", lambda *_: asked.append(1))
    layer.train()(x)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    layer.eval()(x)
    assert not asked
    layer.train()(x)
    assert asked
