"""The demo: what it shows and writes, and that it shows nothing that is wrong."""

from __future__ import annotations

import io
import shutil

import builds
import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from finn_build.config import Options
from finn_build.errors import ConfigError, MismatchError, ToolError
from finn_build.flow import pipeline
from finn_build.simulator import board, demo
from finn_build.system.files import load_json, save_json, save_npz
from quant.dataset import CIFAR10


@pytest.fixture
def console(monkeypatch):
    monkeypatch.setattr("sys.path", list(demo.sys.path))
    return Console(file=io.StringIO(), width=120, force_terminal=True, color_system="truecolor")


@pytest.fixture
def options(written, monkeypatch, tmp_path):
    """A build whose steps up to the sources are done; its chip is compiled already."""
    folder = shutil.copytree(builds.BUILDS / "tiny", tmp_path / "tiny")
    monkeypatch.setattr(pipeline.Build, "folder", folder)
    monkeypatch.setattr(board, "build", lambda rtl, where, log: written / "tiny.so")
    return Options(board="pynq-z2", model="tiny")


@pytest.mark.parametrize("finished", [True, False], ids=["", "unfinished"])
def test_it_shows_images_with_labels(options, finished, tiny, simulated, console, monkeypatch):
    build = pipeline.Build(options=options)
    if finished:
        monkeypatch.delattr(pipeline, "run")
    else:
        shutil.rmtree(build.path("deploy"))
        monkeypatch.setattr(pipeline, "run", lambda steps, options, console: build)
    path = demo.run(options, 7, console)
    text = console.file.getvalue()
    picks = np.linspace(0, 99, 7).astype(int)
    right = (tiny.expected.labels[picks] == tiny.truth[picks]).sum()
    assert f"{right} of 7 right; labels and logits equal the golden model's" in text
    for pick in picks:
        assert CIFAR10.classes[tiny.expected.labels[pick]] in text
    corner = tiny.images[picks[0], 0, 0]
    assert f"38;2;{corner[0]};{corner[1]};{corner[2]}" in text, "the first image's first pixel"
    with Image.open(path) as picture:
        assert picture.width > 1000 and len(np.unique(np.asarray(picture))) > 50


def test_what_is_not_known_is_not_said(written, simulated, console, tmp_path):
    """Numbers for the classes, none of them right or wrong; and names that look like formulas."""
    folder = shutil.copytree(written, tmp_path / "deploy")
    manifest = load_json(folder / "manifest.json")
    with np.load(folder / "golden.npz") as stored:
        vectors = {name: stored[name] for name in stored if name != "truth"}
    save_npz(folder / "golden.npz", **vectors)
    for names in (None, [f"$\\frac {i} &$ <b>" for i in range(10)]):
        changed = {**manifest, "classes": names, "files": {}}
        save_json(folder / "manifest.json", changed)
        shown = demo.classify(folder, 3, console)
        demo.show(shown, console)
        demo.picture(shown, tmp_path / "demo.png")
        label = shown.labels[0]
        assert shown.caption(0) == (str(label) if names is None else names[label])
        assert all(shown.right(i) is None for i in range(3))
    assert "right;" not in console.file.getvalue()


def test_a_folder_without_a_build_is_refused(console, tmp_path):
    options = Options(board="pynq-z2", model="tiny", out=tmp_path / "none")
    with pytest.raises(ConfigError, match="none: no finished build; leave it out, or build"):
        demo.run(options, 7, console)
    assert not (tmp_path / "none").exists()


def test_what_the_driver_says_is_passed_on(options, simulated, console, monkeypatch):
    monkeypatch.setattr(simulated, "__version__", "2.4")
    with pytest.raises(ToolError, match="the simulated board: pynq 2.4 is too old"):
        demo.run(options, 7, console)


def test_a_chip_that_is_wrong_is_an_error(written, simulated, console, tmp_path):
    folder = shutil.copytree(written, tmp_path / "deploy")
    with np.load(folder / "golden.npz") as stored:
        vectors = dict(stored)
    vectors["logits"][0] += 1
    save_npz(folder / "golden.npz", **vectors)
    with pytest.raises(MismatchError, match="1 of 3 images: the chip does not give"):
        demo.classify(folder, 3, console)


def test_a_library_of_the_same_sources_is_not_compiled_again(written, monkeypatch):
    def never(*arguments, **options):
        raise AssertionError("compiled again")

    monkeypatch.setattr(board.verilator, "compile_model", never)
    rtl, model = builds.BUILDS / "tiny" / "emit", builds.BUILDS / "model"
    assert board.build(rtl, model, log=builds.BUILDS / "log").is_file()
    with pytest.raises(AssertionError, match="compiled again"):
        board.build(rtl, builds.BUILDS / "another", log=builds.BUILDS / "log")
