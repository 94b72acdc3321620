"""What a deploy folder must have, what is said where it is spoilt, and what its code needs."""

from __future__ import annotations

import ast
import importlib
import json
import sys
from pathlib import Path

import pytest

from finn_build.driver.command import main
from finn_build.flow import driver_files
from finn_build.system.files import load_json, save_json


def drop(name):
    return lambda folder: (folder / name).unlink()


def change(**fields):
    def do(folder):
        path = folder / "manifest.json"
        save_json(path, {**load_json(path), **fields})

    return do


def lack(*names):
    def do(folder):
        path = folder / "manifest.json"
        save_json(path, {key: value for key, value in load_json(path).items() if key not in names})

    return do


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop("tiny.bit"), "tiny.bit: no such file; copy the whole deploy folder of one build"),
        (drop("manifest.json"), "manifest.json: no such file; copy the whole deploy folder"),
        (drop("registers.json"), "registers.json: no such file; copy the whole deploy folder"),
        (drop("golden.npz"), "golden.npz: not readable"),
        (change(bitstream=None), "this build made no bitstream; install the tools that"),
        (change(model_hash="0" * 32), "the chip holds model"),
        (change(classes=["a", "b"]), "11 words of output for 2 classes"),
        (
            change(input={"shape": [32, 32, 3]}),
            "3072 bytes in and 11 words out per image",
        ),
        (change(input={}), "no manifest of this driver, input.shape missing; copy the whole"),
        (change(input=[32]), "no manifest of this driver, input.shape missing"),
        (change(input={"shape": [8, 8]}), "no manifest of this driver (not enough values"),
        (change(predicted=[1]), "no manifest of this driver (predicted is not an object"),
        (change(fclk_mhz="fast"), "could not convert string to float: 'fast'"),
        (lack("output"), "no manifest of this driver, output.words missing"),
        (lack("model", "clock"), "driver, model, clock.ps_clk_mhz missing; copy the whole deploy"),
        (lambda f: (f / "manifest.json").write_text("[]"), "no manifest of this driver, model, "),
        (lambda f: (f / "registers.json").write_text("{}"), "registers.json: no registers of"),
        (change(fclk_mhz=700), "FCLK0 is 1000 MHz though set to 700"),
        (change(files={"tiny.bit": "0" * 64}), "tiny.bit: not the file that manifest.json"),
        (lambda f: (f / "manifest.json").write_text("{"), "manifest.json: not readable"),
        (lambda f: (f / "golden.npz").write_text("{"), "golden.npz: not readable"),
    ],
)
def test_a_spoilt_deploy_folder_is_refused(chip, folder, tmp_path, capsys, spoil, message):
    spoil(folder)
    assert main(folder, ["--results", str(tmp_path / "r.json"), "accuracy"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r.json").exists()


def test_scales_of_another_number_of_classes_are_refused(chip, folder, capsys):
    path = folder / "manifest.json"
    save_json(path, {**load_json(path), "logit_scale": [1.0] * 9})
    assert main(folder, ["self-test"]) == 2
    assert "logit_scale has 9 numbers for 10 classes" in capsys.readouterr().err


def test_the_manifest_is_json_that_compare_can_read(bare):
    manifest = json.loads((bare / "manifest.json").read_text())
    assert manifest["predicted"]["cycles_per_frame"] * manifest["predicted"][
        "frames_per_second"
    ] == pytest.approx(1e6 * manifest["fclk_mhz"])


def test_the_deploy_folder_runs_by_itself(chip, folder, monkeypatch):
    """Its own copy of the package, under its own name."""
    monkeypatch.syspath_prepend(str(folder))
    package = importlib.import_module("headrace_driver")
    assert Path(package.__file__).parent == folder / "headrace_driver"
    try:
        with package.Accelerator(folder) as accelerator:
            assert accelerator.self_test().mismatches == 0
    finally:
        for name in [name for name in sys.modules if name.startswith("headrace_driver")]:
            del sys.modules[name]


def test_no_module_of_the_driver_imports_one_that_imports_it():
    """Imports within functions, and those for types alone, count as all others."""
    folder = Path(driver_files.DRIVER)
    imported = {path.stem: set() for path in driver_files.FILES if path.suffix == ".py"}
    for name, found in imported.items():
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                names = [node.module] if node.module else [each.name for each in node.names]
                # A name of the package itself is one of its __init__.
                found |= {each if each in imported else "__init__" for each in names}
    while ends := [name for name, found in imported.items() if not found & imported.keys()]:
        for name in ends:
            del imported[name]
    assert not imported


def test_the_driver_needs_numpy_alone_and_python_3_8():
    """Beside the standard library, and what is imported where it is used: pynq and Pillow."""
    for path in driver_files.FILES:
        if path.suffix != ".py":
            continue
        tree = ast.parse(path.read_text(), feature_version=(3, 8))
        names = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add((node.module or "").split(".")[0])
        foreign = names - set(sys.stdlib_module_names) - {"numpy", "pynq", "PIL", "headrace_driver"}
        assert not foreign, f"{path.name}: {foreign}"
