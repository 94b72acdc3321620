"""What synthesis made is used again for what must come out the same, and for nothing else."""

import json
import os
import zipfile

import models
import pytest

from finn_build.backends import tools, yosys
from finn_build.backends.kept import Kept, keys
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make
from finn_build.rtl import accelerator, emit
from finn_build.rtl.design import Stream

FOLDS = {
    "conv0": Fold(pe=2, simd=6, memory="logic"),
    "dense0": Fold(pe=3, simd=8, memory="block"),
}


@pytest.fixture
def fifos(tmp_path):
    """A folder with three FIFOs, of which the first and the last are equal."""
    made = accelerator.Design(name="three", source=Stream(elems=8, bits=8), depths={})
    for name, depth in (("a", 32), ("b", 16), ("c", 32)):
        made.add("axis_fifo", name, made.stream, {"DATA_W": 8, "DEPTH": depth, "RAM_STYLE": 1})
    emit.write(made, tmp_path / "rtl")
    (tmp_path / "parts").mkdir()
    return tmp_path, made.instances


@pytest.fixture
def emitted(tmp_path):
    network = models.hand_made()
    made = accelerator.design(network, make(network, FOLDS))
    emit.write(made, tmp_path / "rtl")
    return tmp_path / "rtl", made.instances


def synthesised(fifos, kept, name="parts"):
    folder, instances = fifos
    out = folder / name
    out.mkdir(exist_ok=True)
    ticks = []
    counts = yosys.synthesise(
        folder / "rtl",
        instances,
        out,
        log=folder / "yosys.log",
        kept=kept,
        tick=lambda *done: ticks.append(done),
    )
    return counts, {p.name: p.read_text() for p in out.iterdir()}, ticks


def refused(*_, **__):
    raise AssertionError("a process was started")


def test_equal_modules_are_synthesised_once_and_kept(fifos, tmp_path, monkeypatch):
    asked = []

    def run(module, parts, *rest, **more):
        asked.append([part[0] for part in json.loads(parts)])
        return tools_run(module, parts, *rest, **more)

    tools_run = tools.run_module
    monkeypatch.setattr(tools, "run_module", run)
    kept = Kept(tmp_path / "kept")
    counts, files, ticks = synthesised(fifos, kept)
    assert asked == [["a", "b"]] and sorted(ticks) == ticks and ticks[-1] == (3, 3)
    assert sorted(files) == sorted(f"{n}.{kind}" for n in "abc" for kind in ("il", "json"))
    assert counts["a"] == counts["c"] != counts["b"] and counts["a"].lut > 10
    assert files["c.il"] == files["a.il"].replace("module \\a\n", "module \\c\n") != files["a.il"]

    monkeypatch.setattr(tools, "run_module", refused)
    assert synthesised(fifos, kept, "again") == (counts, files, [(2, 3), (3, 3)])
    # An entry that is broken, or is not there any more, is made again.
    for entry in (tmp_path / "kept").iterdir():
        entry.write_bytes(entry.read_bytes()[:100])
    with pytest.raises(AssertionError):
        synthesised(fifos, kept, "broken")


def test_a_changed_weight_is_another_module(emitted):
    rtl, instances = emitted
    before = keys(rtl, instances, [])
    (weights,) = rtl.glob("conv0_weights_0000.hex")
    text = weights.read_text()
    weights.write_text(("0" if text[0] != "0" else "1") + text[1:])
    after = keys(rtl, instances, [])
    assert {name for name in before if before[name] != after[name]} == {"conv0"}


def test_what_a_file_is_called_does_not_matter(emitted):
    rtl, instances = emitted
    (conv,) = [i for i in instances if i.name == "conv0"]
    before = keys(rtl, [conv], [])["conv0"]
    for path in sorted(rtl.glob("conv0_weights_*")):
        path.rename(path.with_name(path.name.replace("conv0", "other")))
    conv.parameters["WEIGHT_FILE"] = "other_weights"
    assert keys(rtl, [conv], [])["conv0"] == before


def test_a_module_is_known_by_all_that_it_is_made_of(emitted, tmp_path):
    rtl, instances = emitted
    code = tmp_path / "code.py"
    code.write_text("1")
    before = keys(rtl, instances, [code])
    dot = rtl / "nn_compressor.sv"
    dot.write_text(dot.read_text().replace("64'h6996", "64'h7996"))
    after = keys(rtl, instances, [code])
    changed = {i.module for i in instances if before[i.name] != after[i.name]}
    assert "nn_mvtu" in changed and "nn_window" not in changed
    conv = next(i for i in instances if i.name == "conv0")
    conv.parameters["ACC_W"] += 1
    assert keys(rtl, instances, [code])["conv0"] != after["conv0"]
    code.write_text("2")
    assert not set(keys(rtl, instances, [code]).values()) & set(before.values())


def test_the_oldest_entries_go(tmp_path):
    kept = Kept(tmp_path / "kept", limit=2000)
    for number in range(3):
        kept.save(f"{number}", {"any.il": os.urandom(500).hex()})
        os.utime(tmp_path / "kept" / f"{number}.zip", (number, number))
    assert kept.load("0") is not None  # now it is the newest
    kept.save("3", {"any.il": os.urandom(1000).hex()})
    left = sorted(p.name for p in (tmp_path / "kept").iterdir())
    assert left == ["0.zip", "3.zip"] and kept.load("1") is None


def test_a_folder_that_cannot_be_used_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    kept = Kept(tmp_path / "file" / "kept")
    kept.save("a", {"any.il": "text"})
    assert kept.load("a") is None
    whole = Kept(tmp_path)
    whole.save("a", {"any.il": "text"})
    assert whole.load("a") == {"any.il": "text"} and zipfile.is_zipfile(tmp_path / "a.zip")


@pytest.mark.parametrize(("offset", "byte"), [(8, 1), (10, 99)])  # encrypted; an unknown method
def test_an_entry_that_zipfile_does_not_read_is_none(offset, byte, tmp_path):
    kept = Kept(tmp_path)
    kept.save("a", {"any.il": "text"})
    held = bytearray((tmp_path / "a.zip").read_bytes())
    held[held.find(b"PK\x01\x02") + offset] = byte
    (tmp_path / "a.zip").write_bytes(held)
    assert kept.load("a") is None
