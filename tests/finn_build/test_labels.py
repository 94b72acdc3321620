"""Accuracy and names only where they are the model's: each way in which they can be, and none."""

import json
from dataclasses import replace

import models
import numpy as np
import onnx
import pytest

from finn_build.config import Options
from finn_build.errors import ConfigError
from finn_build.flow import labels
from finn_build.flow.pipeline import Build
from finn_build.flow.steps import accuracy, plan
from finn_build.system.files import save_json, save_npz
from quant.dataset import CIFAR10

SIX = ["stop", "give way", "Vorfahrtstraße", "<b>30</b>", "60 km/h", "end"]
QUANTS = {"network": "tiny", "data": "cifar10", "classes": list(CIFAR10.classes)}


@pytest.fixture
def network():
    """Six classes on 4 x 4 pixels of two channels."""
    return models.hand_made()


def built(tmp_path, record=None, **options):
    """A build that has got its model and the record of that."""
    options = {"model": "tiny", **options}
    made = Build(options=Options(board="pynq-z2", out=tmp_path / "build", **options))
    made.path("export").mkdir(parents=True)
    save_json(made.path("export", "model.json"), record or {"network": "tiny"})
    return made


def qonnx(tmp_path, **metadata):
    """A file with metadata and nothing else."""
    path = tmp_path / "signs.onnx"
    graph = onnx.helper.make_graph([], "empty", [], [])
    model = onnx.helper.make_model(graph)
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, str(path))
    return path


def names_of(build, network):
    made = labels.of_build(build, network)
    return made.known, made.names and list(made.names)


def ten(network):
    """As many classes as CIFAR-10 has."""
    last = network.mvtus[-1]
    more = replace(last, weights=np.resize(last.weights, (10, 16)), bias=None)
    *layers, _, end = network.layers
    return replace(network, layers=(*layers, more, replace(end, classes=10)))


def test_a_model_of_quant_has_cifar10s(tmp_path, network):
    assert names_of(built(tmp_path, QUANTS), ten(network)) == (True, list(CIFAR10.classes))


def test_ten_classes_alone_make_no_airplane(tmp_path, network):
    assert names_of(built(tmp_path), ten(network)) == (False, None)


def test_data_that_is_given_has_names(tmp_path, network):
    record = {"network": "signs", "classes": SIX}
    build = built(tmp_path, record, data=tmp_path, model="signs.onnx")
    assert names_of(build, network) == (True, SIX)


def test_a_file_has_names_alone(tmp_path, network):
    (tmp_path / "names").write_text("\n".join(SIX) + "\n")
    build = built(tmp_path, labels=tmp_path / "names")
    assert names_of(build, network) == (False, SIX)


def test_a_file_from_windows_and_without_an_end_is_read(tmp_path):
    (tmp_path / "names").write_bytes("\ufeffstop\r\ngive way".encode())
    assert labels.read(tmp_path / "names") == ("stop", "give way")


def test_qonnx_metadata_has_names_and_a_file_goes_before_it(tmp_path, network):
    path = qonnx(tmp_path, classes=json.dumps(SIX), other="x")
    build = built(tmp_path, model=str(path))
    assert names_of(build, network) == (False, SIX)
    (tmp_path / "names").write_text("a\nb\nc\nd\ne\nf")
    build = replace(build, options=replace(build.options, labels=tmp_path / "names"))
    assert names_of(build, network) == (False, ["a", "b", "c", "d", "e", "f"])


def test_a_file_without_that_metadata_has_no_names(tmp_path, network):
    build = built(tmp_path, model=str(qonnx(tmp_path, other="x")))
    assert names_of(build, network) == (False, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\nb\nc\nd\ne", "5 names, but the model has 6 classes; give 6 names in the order"),
        ("a\nb\nc\nd\ne\nf\ng", "7 names, but the model has 6 classes"),
        ("a\nb\n\nd\ne\n", "name 3 is empty; give one class name a line"),
        ("", "name 1 is empty"),
        ("a\nb\nc\nd\nb\n", "names 2 and 5 are both 'b'; give each its own"),
        ("a\nb\x1b[31m\nc\nd\ne\n", r"name 2, 'b\\x1b\[31m': use 1 to 64 printable characters"),
        ("a\n\u202eb\nc\nd\ne\n", r"name 2, '\\u202eb': use 1 to 64 printable"),
        ("a\nb \nc\nd\ne\n", "name 2, 'b ': .* without space around them"),
        (f"{65 * 'a'}\nb\nc\nd\ne\n", "name 1, 'a{64}': use 1 to 64"),
        (b"\xff\xfe", "not UTF-8 text .*; save it as UTF-8"),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path, network, text, message):
    path = tmp_path / "names"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=f"--labels {path}: {message}"):
        labels.of_build(built(tmp_path, labels=path), network)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stop, go", "'stop, go' is no JSON list of names; write one, or give --labels FILE"),
        ('{"a": 0}', "is no JSON list of names"),
        ("[" * 100_000, "is no JSON list of names"),
        ("[1, 2, 3, 4, 5, 6]", "is no JSON list of names"),
        ('["a", "b"]', "2 names, but the model has 6 classes"),
        ('["a", "a"]', "names 1 and 2 are both 'a'"),
    ],
)
def test_metadata_that_cannot_be_is_refused(tmp_path, network, text, message):
    path = qonnx(tmp_path, classes=text)
    with pytest.raises(ConfigError, match=f"{path}: metadata 'classes': .*{message}"):
        labels.of_build(built(tmp_path, model=str(path)), network)


def test_a_missing_file_is_named_before_the_build(tmp_path):
    with pytest.raises(ConfigError, match="lost: no such file; give a text file with one class"):
        labels.read(tmp_path / "lost")


def test_data_that_does_not_fit_is_an_error(tmp_path, network):
    with pytest.raises(ConfigError, match="pictures have 1 or 3 channels, but hand takes 2; leave"):
        labels.check_fit(tmp_path, network)
    with pytest.raises(ConfigError, match="2 classes, a, b, but hand has 6; use the model's data"):
        labels.check_classes(tmp_path, network, ["a", "b"])
    labels.check_fit(tmp_path, replace(network, channels=1))
    labels.check_classes(tmp_path, network, SIX)


def test_labels_of_a_data_set_follow_the_names():
    numbers = np.array([0, 1, 2, 0])
    task = labels.Labels(known=True, names=("c", "a", "b"))
    assert labels.truth(task, numbers, ["a", "b", "c"], "d").tolist() == [1, 2, 0, 1]
    assert labels.truth(task, numbers, None, "d").tolist() == [0, 1, 2, 0]
    message = "d: its classes are a, b, x, the model's are c, a, b; c is among one of them alone"
    with pytest.raises(ConfigError, match=message):
        labels.truth(task, numbers, ["a", "b", "x"], "d")
    own = replace(task, asked=True)  # a user calls a class what they like
    assert labels.truth(own, numbers, ["x", "y", "z"], "d").tolist() == [0, 1, 2, 0]


@pytest.fixture
def scored(tmp_path, network, monkeypatch):
    """Run the step on 20 images with labels; the data set is there. Returns line and result."""
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setattr(accuracy, "DATA", data)
    monkeypatch.setattr(accuracy, "_against_qonnx", lambda *_: Equal())
    images = np.random.default_rng(3).integers(0, 256, (20, 4, 4, 2), np.uint8)

    def module(name, *arguments, log):
        path = arguments[arguments.index("--out") + 1]
        save_npz(path, images=np.repeat(images, 2, axis=0), labels=np.arange(40) % 6)

    monkeypatch.setattr(accuracy.tools, "run_module", module)

    def run(record, **options):
        build = built(tmp_path, record, **options)
        build.path("golden").mkdir()
        network.save(build.path("golden", "network.npz"))
        save_npz(build.path("export", "vectors.npz"), images=images, labels=np.arange(20) % 6)
        out = tmp_path / "accuracy"
        out.mkdir()
        line = accuracy.run(build, out)
        assert not (out / "test.npz").exists()
        return line, json.loads((out / "result.json").read_text())

    return run


class Equal:
    """A comparison without a difference, from before labels and logits were counted."""

    def record(self):
        return {"stage": "qonnx", "against": "golden", "images": 20, "mismatches": 0,
                "explained": 0, "explanations": []}  # fmt: skip


def test_another_tasks_labels_are_not_counted(scored):
    line, made = scored({"network": "tiny"})
    assert line.startswith(f"accuracy: not known, {labels.UNKNOWN}; 20 images (random images)")
    assert made["accuracy"] is None and made["classes"] is None and "confusion" not in made
    assert made["images"] == 20, "not the data set that happens to be there"


def test_the_whole_test_set_is_for_those_whose_it_is(scored):
    line, made = scored(QUANTS | {"classes": SIX})
    assert " % of 40 images (whole test set)" in line and "not known" not in line
    assert made["images"] == 40 and made["classes"] == SIX
    assert np.sum(made["confusion"]) == 40


def test_names_alone_give_no_accuracy(scored, tmp_path):
    (tmp_path / "names").write_text("\n".join(SIX))
    line, made = scored({"network": "tiny"}, labels=tmp_path / "names")
    assert "accuracy: not known" in line
    assert made["accuracy"] is None and made["classes"] == SIX


def test_a_model_that_does_not_fit_the_data_stops_the_build(scored, tmp_path):
    with pytest.raises(ConfigError, match=r"--data .*pictures have 1 or 3 channels"):
        scored({"network": "tiny"}, data=tmp_path / "data")


def test_names_and_data_decide_what_is_done_anew(tmp_path):
    """The steps that write names, and no other: the rest is not built twice for a name."""
    file = tmp_path / "names"
    file.write_text("a\nb")
    one = Options(board="pynq-z2", model="tiny.onnx", out=tmp_path)
    keys = {step.name: step.options for step in plan.STEPS if step.name != "route"}
    for other in (replace(one, labels=file), replace(one, data=tmp_path)):
        changed = [name for name, key in keys.items() if key(one) != key(other)]
        # Images of a data set that is given go with a QONNX file, which has none of its own.
        assert changed == [*["export"][: other.data is not None], "accuracy", "deploy"]
    named = replace(one, labels=file)
    before = keys["deploy"](named)
    file.write_text("a\nbb")
    assert keys["deploy"](named) != before


def test_a_picture_in_a_class_folder_is_part_of_the_data_set(tmp_path):
    """A folder's own time does not change with what is written anew in it."""
    picture = tmp_path / "data" / "test" / "cat" / "0.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"1")
    one = Options(board="pynq-z2", model="tiny.onnx", out=tmp_path, data=tmp_path / "data")
    keys = {step.name: step.options for step in plan.STEPS if step.name in ("export", "accuracy")}
    before = {name: key(one) for name, key in keys.items()}
    picture.write_bytes(b"12")
    assert all(key(one) != before[name] for name, key in keys.items())
    after = {name: key(one) for name, key in keys.items()}
    for name in ("1.png", "loop.png"):  # `quant data` says what is wrong with them
        picture.with_name(name).symlink_to("loop.png")
    assert all(key(one) != after[name] for name, key in keys.items())
