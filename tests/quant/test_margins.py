"""Thresholds near integers are moved away from them, and no integer result changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from quant.config import Conv, Network, Quantisation
from quant.layers import act_range
from quant.margins import MARGIN, keep_off_integers
from quant.models import Model, build_quantised
from quant.packing import weight_scale

NETWORK = Network(name="n", layers=(Conv(filters=3), Conv(filters=4)), input_shape=(4, 4, 2))


def thresholds(model: Model, layer: str, scale_in: float) -> np.ndarray:
    """Accumulators at which each channel's activation goes up, (C, 3), by bisection."""
    conv, norm, act = (model.body.get_submodule(f"{layer}{x}") for x in ("", "_norm", "_act"))
    unit = weight_scale(conv).double() * scale_in
    step = act_range(act).double() / 3
    deviation = (norm.running_var.double() + norm.eps).sqrt()

    def value(accumulator: torch.Tensor) -> torch.Tensor:
        x = accumulator * unit - norm.running_mean.double()
        return (norm.weight.double() * x / deviation + norm.bias.double()) / step

    found = []
    for level in (0.5, 1.5, 2.5):
        rising = value(torch.ones(len(unit))) > value(torch.zeros(len(unit)))
        low, high = (torch.full((len(unit),), end, dtype=torch.float64) for end in (-1e6, 1e6))
        for _ in range(80):
            middle = (low + high) / 2
            above = (value(middle) >= level) == rising
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        found.append(high.numpy())
    return np.stack(found, axis=1)


@pytest.mark.parametrize("gain", [1.3, -0.7])
def test_a_threshold_near_an_integer_is_moved_away(gain: float) -> None:
    torch.manual_seed(1)
    model = build_quantised(NETWORK, Quantisation()).eval()
    scales = {"conv0": 1 / 255, "conv1": float(act_range(model.body.conv0_act)) / 3}
    with torch.no_grad():
        for name, scale_in in scales.items():
            norm = model.body.get_submodule(f"{name}_norm")
            norm.weight.fill_(gain)
            slope = gain * float(weight_scale(model.body.get_submodule(name))[1]) * scale_in
            # The second channel's first threshold comes to lie just above an integer.
            now = thresholds(model, name, scale_in)[1, 0]
            norm.bias[1] -= (np.floor(now) + 2e-4 - now) * slope
    before = {name: thresholds(model, name, scale) for name, scale in scales.items()}
    assert all(abs(t[1, 0] - round(t[1, 0])) < 1e-3 for t in before.values())
    assert keep_off_integers(model) >= 2
    for name, scale in scales.items():
        after = thresholds(model, name, scale)
        assert np.array_equal(np.floor(after), np.floor(before[name]))
        assert np.abs(after - after.round()).min() >= MARGIN - 1e-4
    assert keep_off_integers(model) == 0
