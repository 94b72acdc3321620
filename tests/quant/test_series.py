from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from trainings import dataset

from quant import cli, series
from quant.checkpoint import Checkpoint
from quant.data import Labelled
from quant.errors import ConfigError
from quant.files import read_json, write_json
from quant.plan import Plan
from quant.series import read_series, run_series
from quant.setting import Setting
from quant.topologies import NETWORKS
from quant.zoo import load_trained

LISTS = Path(__file__).parents[2] / "docs" / "trainings"
LIST = """
[defaults]
network = "tiny"
batch = 64
epochs = 1
float_epochs = 2
teacher = "big"
views = 2

[[training]]
name = "big"
network = "teacher"
widths = [4, 6, 8]
float_epochs = 2
float_lr = 0.02
batch = 64

[[training]]
name = "float"
bits = "float"

[[training]]
name = "w2a2"
from = "float"

[[training]]
name = "w1a1"
bits = "w1a1"
from = "float"
tune = "w2a2"
"""


@pytest.fixture
def many(images: Labelled, monkeypatch: pytest.MonkeyPatch) -> Labelled:
    repeated = Labelled(
        images=np.tile(images.images, (14, 1, 1, 1)), labels=np.tile(images.labels, 14)
    )
    monkeypatch.setattr("quant.starting.open_data", lambda *_, **__: dataset(repeated))
    return repeated


def call(monkeypatch: pytest.MonkeyPatch, file: Path) -> int:
    arguments = ["series", str(file), "--out", str(file.parent / "out")]
    monkeypatch.setattr(sys, "argv", ["quant", *arguments, "--no-compile", "--device", "cpu"])
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_list_is_done_in_order_and_resumes(
    many: Labelled,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, out = tmp_path / "list.toml", tmp_path / "out"
    file.write_text(LIST)
    # Stopped in the quantised training: teacher and float are done, and not done again.
    save, trained = Checkpoint.save, []

    def stopping(checkpoint: Checkpoint, status: object) -> None:
        save(checkpoint, status)
        if checkpoint.path.stem == "quantised-state":
            raise KeyboardInterrupt

    run = Plan.run

    def watched(plan: Plan, setting: object, folder: Path) -> object:
        trained.append(folder.name)
        return run(plan, setting, folder)

    monkeypatch.setattr(Plan, "run", watched)
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", stopping)
        assert call(monkeypatch, file) == 130
    assert trained == ["big", "float", "w2a2"]
    assert not (out / "w2a2" / "done.json").exists()
    assert call(monkeypatch, file) == 0
    assert trained == ["big", "float", "w2a2", "w2a2", "w1a1"]
    assert "w1a1: float" in capsys.readouterr().out
    # Nothing is left to do, and no image is read for that.
    monkeypatch.setattr("quant.starting.open_data", None)
    assert call(monkeypatch, file) == 0
    assert len(trained) == 5

    records = {name: read_json(out / name / f"{name}.json") for name in ("w2a2", "w1a1")}
    big, start = read_json(out / "big" / "teacher.json"), read_json(out / "float" / "float.json")
    assert start["training"]["teacher"]["sha256"] == big["sha256"]
    for record in records.values():
        assert record["float"]["sha256"] == start["sha256"]
        assert record["training"]["quantised teacher"]["sha256"] == big["sha256"]
    assert records["w1a1"]["training"]["quantised from"]["sha256"] == records["w2a2"]["sha256"]
    assert records["w1a1"]["epochs"] == {"float": 2, "quantised": 2}
    # The teacher saw each image twice for all of them.
    assert len(list(out.glob("big/teacher-views-*/view*.safetensors"))) == 2
    for name in records:
        packed = load_trained(str(out / "packed" / f"{name}.safetensors"))
        assert packed.record["accuracy"] == records[name]["accuracy"]


def test_what_changed_is_not_taken_for_done(
    many: Labelled,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "list.toml"
    text = LIST.split('[[training]]\nname = "w2a2"')[0]
    file.write_text(text)
    assert call(monkeypatch, file) == 0
    file.write_text(text.replace('bits = "float"', 'bits = "float"\nfloat_lr = 0.5'))
    assert call(monkeypatch, file) == 2
    assert "training.lr: 0.003 there, 0.5 here" in capsys.readouterr().err
    file.write_text(text)
    weights = tmp_path / "out" / "float" / "float.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(b"damaged")
    assert call(monkeypatch, file) == 0
    assert weights.read_bytes() == before


def test_a_training_from_a_file_that_changed_is_not_done(tmp_path: Path) -> None:
    teacher, folder = tmp_path / "t.safetensors", tmp_path / "float"
    teacher.write_bytes(b"1")
    plan = Plan(bits="float", teacher=teacher)
    write_json(folder / "float.json", {"accuracy": {"float": 0.5}})
    stamp, other = (partial(series._stamp, plan, data) for data in ({}, {"data": "mine"}))
    series._finish(plan, folder, tmp_path, stamp)
    assert series._finished(plan, folder, stamp) == {"accuracy": {"float": 0.5}}
    assert series._finished(plan, folder, other) is None  # of other images
    done = read_json(folder / series.DONE)
    for option in ("flip", "translate", "cutout"):  # which there were not before
        del done["plan"][option]
    write_json(folder / series.DONE, done)
    assert series._finished(plan, folder, stamp) is not None
    teacher.write_bytes(b"2")
    assert series._finished(plan, folder, stamp) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no trainings; give each a table [[training]] with a name"),
        ("x = 1", "unknown key x; known: training, defaults"),
        ("[[training]]", "training[0]: name=None; give it a name"),
        ("[[training]]\nname = 'a/b'", "name='a/b'; give it a name of letters"),
        ("[[training]]\nname = 'packed'", "the name packed is taken"),
        ("[[training]]\nname='a'\n[[training]]\nname='a'", "training[1]: the name a is taken"),
        (
            "[[training]]\nname='a'\nbit='w2a2'",
            "unknown key bit; known: network, bits, layer, from,",
        ),
        ("[[training]]\nname='a'\ncommand='grow'", "a: command='grow'; use train or prune"),
        ("[[training]]\nname='a'\ncommand='prune'", "a: from is missing; use a path"),
        ("[[training]]\nname='a'\nepochs='3'", "a: epochs = '3'; use a whole number"),
        ("[[training]]\nname='a'\nepochs=true", "a: epochs = True; use a whole number"),
        ("[[training]]\nname='a'\nlayer='conv0=w4'", "a: layer = 'conv0=w4'; use a list of texts"),
        ("[[training]]\nname='a'\nbits='w9a2'", "a: quantisation: weight_bits = 9"),
        ("[[training]]\nname='a'\nnetwork='vgg'", "a: network 'vgg' is not known"),
        ("[[training]]\nname='a'\nviews=2", "a: --views 2: needs a teacher; add --teacher FILE"),
        ("[[training]]\nname='a'\nwidths=[1,2,3]", "a: widths=(1, 2, 3) is for the network"),
        ("[[training]]\nname='a'\nnetwork='teacher'\ntune='b'", "teacher: takes no tune; it is"),
        ("training = 3", "training = 3; use a list of tables"),
        ("=", "not readable as TOML"),
    ],
)
def test_a_wrong_list_is_refused_by_name(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "list.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_series(file, tmp_path)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none.toml: not found; name a .toml file"):
        read_series(tmp_path / "none.toml", tmp_path)


CIFAR10 = ["teacher", "float", "w2a2", "w4a4", "w1a2", "w1a1"]
# Each list's trainings; the one at W2A2, and one that goes on from another, if any does.
CONTENTS: dict[str, tuple[list[str], str, tuple[str, str] | None]] = {
    "cifar10": (CIFAR10, "w2a2", ("w1a1", "w1a2")),
    "cifar10_core": (CIFAR10, "w2a2", ("w1a1", "w1a2")),
    "mobile": (["teacher", "mobile_float", "mobile_w2a2"], "mobile_w2a2", None),
    "resnet8": (
        ["teacher", "resnet8_float", "resnet8_w4a4", "resnet8_w2a2"],
        "resnet8_w2a2",
        ("resnet8_w2a2", "resnet8_w4a4"),
    ),
}


@pytest.mark.parametrize("path", sorted(LISTS.glob("*.toml")), ids=lambda path: path.stem)
def test_the_lists_that_come_along_are_legal(path: Path, tmp_path: Path) -> None:
    plans = {planned.name: planned.plan for planned in read_series(path, tmp_path)}
    if path.stem not in CONTENTS:  # the paper's, which test_paper.py looks at
        return
    names, w2a2, tuned = CONTENTS[path.stem]
    assert list(plans) == names
    if tuned:
        later, earlier = tuned
        assert plans[later].tune == str(tmp_path / earlier / f"{earlier}.safetensors")
    assert plans[w2a2].start == tmp_path / names[1] / "float.safetensors"
    assert plans[w2a2].teacher == tmp_path / "teacher" / "teacher.safetensors"
    # What the teacher has said counts for all of them.
    views = {
        (t.views, t.translate_px, t.flip, t.seed)
        for name, plan in plans.items()
        if name != "teacher"
        for t in [plan.first() if plan.bits == "float" else plan.second()]
    }
    assert len(views) == 1
    assert series.DONE == "done.json"


def test_the_list_of_a_residual_network_runs(many: Labelled, tmp_path: Path) -> None:
    """All of it but the length: an epoch of each training, on few images."""
    tiny = {"epochs": 1, "float_epochs": 1, "batch": 16}
    plans = []
    for planned in read_series(LISTS / "resnet8.toml", tmp_path):
        least = {"widths": (4, 6, 8)} if planned.name == "teacher" else {"views": 1}
        plans.append(replace(planned, plan=replace(planned.plan, **tiny, **least)))
    few = many.part(slice(0, 48))
    setting = Setting.of(few, few, validation=16, compiled=False, command="test")
    records = run_series(plans, lambda: setting, tmp_path, setting.console)
    assert records["resnet8_w2a2"]["network"] == "resnet8"
    assert records["resnet8_w2a2"]["macs"] == 12_501_632
    assert records["resnet8_w2a2"]["epochs"] == {"float": 1, "quantised": 2}
    packed = load_trained(str(tmp_path / "packed" / "resnet8_w2a2.safetensors"))
    assert packed.network.layers == NETWORKS["resnet8"].layers
