"""The deploy folder: README, hashes and an archive that depends on its contents alone."""

import hashlib
import os
import tarfile

import pytest

from finn_build import boards
from finn_build.flow import package
from finn_build.system.files import load_json, save_json

BOARD = boards.find_board("zybo-z7-20")


@pytest.fixture
def folder(tmp_path):
    """A deploy folder with a driver in it."""
    made = tmp_path / "deploy"
    (made / "driver").mkdir(parents=True)
    (made / "driver" / "one.py").write_text("1\n")
    (made / "m.bit").write_bytes(bytes(100))
    manifest = {"model": "m", "accelerator": "headrace", "bitstream": "m.bit", "fclk_mhz": 125.0}
    manifest["labelled"] = True
    save_json(made / "manifest.json", manifest)
    return made


def finish(folder, reason=""):
    archive = folder.parent / "m-zybo.tar.gz"
    package.finish(folder, archive, board=BOARD, reason=reason)
    return archive


def test_every_file_has_its_hash(folder):
    finish(folder)
    files = load_json(folder / "manifest.json")["files"]
    assert list(files) == ["README.md", "driver/one.py", "m.bit"]
    assert files["m.bit"] == hashlib.sha256(bytes(100)).hexdigest()
    assert files["driver/one.py"] == hashlib.sha256(b"1\n").hexdigest()


def test_the_archive_holds_the_folder_and_depends_on_its_contents_alone(folder, tmp_path):
    archive = finish(folder)
    first = archive.read_bytes()
    with tarfile.open(archive) as tar:
        assert {(e.mtime, e.uid, e.gid, e.uname, e.mode) for e in tar} == {(0, 0, 0, "", 0o644)}
        tar.extractall(tmp_path / "out", filter="data")
    for path in folder.rglob("*"):
        copy = tmp_path / "out" / "m-zybo" / path.relative_to(folder)
        assert path.is_dir() or copy.read_bytes() == path.read_bytes()
    os.utime(folder / "m.bit", (1, 1))
    (folder / "m.bit").chmod(0o600)
    assert finish(folder).read_bytes() == first
    (folder / "m.bit").write_bytes(bytes(101))
    assert finish(folder).read_bytes() != first


def test_the_readme_says_how_to_run_it_or_why_not(folder):
    finish(folder)
    text = (folder / "README.md").read_text()
    assert text.startswith("# m on Digilent Zybo Z7-20\n\nCopy this folder to the board")
    assert "python3 run.py self-test" in text and "xc7z020clg400-1, at 125 MHz" in text
    manifest = load_json(folder / "manifest.json")
    assert "run.py accuracy" in text
    save_json(folder / "manifest.json", manifest | {"labelled": False})
    finish(folder)
    text = (folder / "README.md").read_text()
    assert "run.py accuracy" not in text and "run.py benchmark" in text
    save_json(folder / "manifest.json", manifest | {"bitstream": None})
    finish(folder, "no tool for it")
    text = (folder / "README.md").read_text()
    assert "so it does not run yet: no tool for it" in text and "run.py" not in text


def test_the_clock_is_given_as_the_dividers_that_make_it():
    made = package.clock(BOARD, 125.0)
    assert made["divisors"] == [8, 1] and made["io_pll_mhz"] / 8 == made["fclk_mhz"] == 125
    assert round(made["io_pll_mhz"] / made["ps_clk_mhz"]) == 30
