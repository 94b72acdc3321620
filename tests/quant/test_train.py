"""Whole trainings of a tiny network: their records, seeds, precision, and what they learn."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from trainings import FLOAT, NETWORK, QUANTISATION, QUANTISED, run, run_float, settings

from quant import loop
from quant.checkpoint import Status
from quant.config import Dropout, Precision, Quantisation, Training
from quant.data import Labelled
from quant.errors import ConfigError
from quant.images import Images, accuracy
from quant.loop import Phase, batches
from quant.models import build_float
from quant.setting import Setting
from quant.step import learning_rate
from quant.training import train_float, train_quantised
from quant.zoo import load_trained, pack_trained


def test_record_and_checkpoint_rebuild_the_model(images: Labelled, tmp_path: Path) -> None:
    record = run(tmp_path / "m", images)
    # Tuples become lists.
    written = json.loads((tmp_path / "m" / "m.json").read_text())
    assert written == json.loads(json.dumps(record))
    contract = "network weight_bits act_bits filters parameters macs accuracy test_images epochs "
    contract += "device command commit"
    assert set(contract.split()) <= set(record)
    assert record["training"]["quantised"]["seed"] == 1
    assert record["filters"] == [4, 6]
    assert record["epochs"] == {"float": 2, "quantised": 3}
    trained = load_trained(str(tmp_path / "m" / "m.safetensors"))
    assert trained.network == NETWORK
    assert trained.quantisation == QUANTISATION
    data = Images.of(images, torch.device("cpu"))
    assert accuracy(trained.model, data) == record["accuracy"]["quantised"]


def test_a_quantised_model_is_trained_further(images: Labelled, tmp_path: Path) -> None:
    first = run(tmp_path / "m", images)
    setting = settings(images)
    start = train_float(setting, NETWORK, FLOAT, tmp_path / "m")
    earlier = load_trained(str(tmp_path / "m" / "m.safetensors"))
    packed = pack_trained(str(tmp_path / "m" / "m.safetensors"), "packed", tmp_path)
    pixels = setting.test.pixels.float()
    # Nothing is learned in no epoch.
    none = replace(QUANTISED, epochs=0)
    out = tmp_path / "n"
    same = train_quantised(setting, start, QUANTISATION, none, out, earlier=earlier)
    assert same["accuracy"] == first["accuracy"]
    record = train_quantised(
        setting, start, QUANTISATION, replace(QUANTISED, epochs=2), tmp_path / "o", earlier=earlier
    )
    assert record["epochs"] == {"float": 2, "quantised": 5}
    assert record["training"]["quantised from"]["sha256"] == first["sha256"]
    assert record["sha256"] != first["sha256"]
    fewer = Quantisation(weight_bits=1)
    record = train_quantised(setting, start, fewer, none, tmp_path / "p", earlier=earlier)
    assert record["weight_bits"] == 1
    assert record["training"]["quantised from"]["quantisation"]["weight_bits"] == 2
    learned = replace(QUANTISATION, weight_scale="learned")
    for name, model in (("q", earlier), ("r", load_trained(str(packed)))):
        # A learned scale begins where the statistics or the packed model were.
        record = train_quantised(setting, start, learned, none, tmp_path / name, earlier=model)
        assert record["accuracy"] == first["accuracy"]
        weights = load_trained(str(tmp_path / name / f"{name}.safetensors")).model
        assert torch.allclose(weights(pixels), earlier.model(pixels), atol=1e-4)
    other = replace(start, network=replace(NETWORK, name="other"))
    with pytest.raises(ConfigError, match="m: not the float model's network; use the float model"):
        train_quantised(setting, other, QUANTISATION, QUANTISED, out, earlier=earlier)


def test_seed_decides(images: Labelled, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / name / "m", images, replace(QUANTISED, seed=seed))
    a, b, c = ((tmp_path / x / "m" / "m.safetensors").read_bytes() for x in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_training_learns_what_can_be_learned(
    precision: Precision, images: Labelled, tmp_path: Path
) -> None:
    """Images whose brightness tells the class: a guess is right for a tenth of them."""
    dark = images.images // 10 + (images.labels * 23).astype("uint8")[:, None, None, None]
    data = Labelled(images=dark, labels=images.labels)
    training = Training(epochs=60, batch=16, translate_px=0, lr=5e-3, average=0.9)
    setting = replace(settings(data), held_out=Images.of(data.part(slice(0)), torch.device("cpu")))
    network = replace(NETWORK, dropout=Dropout())
    first = replace(training, precision=precision)
    start = train_float(setting, network, first, tmp_path / "m")
    record = train_quantised(setting, start, Quantisation(), training, tmp_path / "m")
    assert record["accuracy"]["float"] > 0.4
    assert record["accuracy"]["quantised"] > 0.4


def test_bfloat16_leaves_float32_weights(images: Labelled, tmp_path: Path) -> None:
    half = replace(FLOAT, precision="bfloat16")
    models = [run_float(tmp_path / each.precision, images, each) for each in (FLOAT, half)]
    weights = [model.model.state_dict()["body.conv0.weight"] for model in models]
    assert {weight.dtype for weight in weights} == {torch.float32}
    assert not torch.equal(*weights)
    torch.testing.assert_close(*weights, rtol=0.1, atol=0.1)


def test_bfloat16_is_for_float_networks(images: Labelled, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="blurs the levels of a quantised network"):
        run(tmp_path, images, replace(QUANTISED, precision="bfloat16"))


def test_learning_rate_rises_then_falls_to_zero() -> None:
    config = Training(epochs=4, lr=1.0, warmup_epochs=1.0)
    rates = [learning_rate(config, number, 10) for number in range(41)]
    assert rates[0] < rates[5] < rates[10] == 1.0
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[40] == pytest.approx(0.0)
    assert learning_rate(replace(config, warmup_epochs=0.0), 0, 10) == 1.0


def test_impossible_sizes(images: Labelled, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="batch=65 is more than the 64 images"):
        run_float(tmp_path, images, replace(FLOAT, batch=65))
    with pytest.raises(ConfigError, match="validation=80 leaves none of 80"):
        Setting.of(images, images, validation=80)
    assert list(tmp_path.iterdir()) == []


def test_every_epoch_draws_anew(images: Labelled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "translate", lambda pixels, *_, **__: pixels)
    data = Images.of(images, torch.device("cpu"))
    config = Training(epochs=2, batch=40)
    epochs = [[b.pixels for b in batches("float", config, data, epoch)] for epoch in (0, 0, 1)]
    first, again, second = (torch.cat(epoch) for epoch in epochs)
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(first.sum(0), second.sum(0))  # every image once in each epoch


def test_no_epochs_give_the_model_as_it_was(images: Labelled, tmp_path: Path) -> None:
    data = Images.of(images, torch.device("cpu"))
    model = build_float(NETWORK)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    path = tmp_path / "s.safetensors"
    assert Phase("float", model, replace(FLOAT, epochs=0), path, {}).run(data, data) == Status()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert list(tmp_path.iterdir()) == []
