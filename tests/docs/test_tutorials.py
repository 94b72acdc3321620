"""The tutorials: what is kept of them, and each executed with a tiny budget."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import nbformat
import pytest

REPO = Path(__file__).parents[2]
FOLDER = REPO / "docs" / "tutorials"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST = 500_000  # bytes of a notebook with its pictures
EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[1])
"""
# Instead of what the cells of parameters say.
BUDGETS = {
    "1_pixels_to_chip": {"FLOAT_EPOCHS": 1, "EPOCHS": 1, "LAST": "simulate"},
    "2_your_images": {"PICTURES": 40, "FLOAT_EPOCHS": 1, "EPOCHS": 1},
    "3_your_design": {"FPS": 1000, "FRAMES": 2},
}


def read(path):
    return nbformat.read(path, as_version=4)


def outputs(notebook):
    return [out for cell in notebook.cells for out in cell.get("outputs", [])]


def pictures(notebook):
    return sum("image/png" in out.get("data", {}) for out in outputs(notebook))


def shown(output):
    """What an output says, apart from pictures."""
    kinds = output.get("data", {}).items()
    return output.get("text", "") + "".join(text for kind, text in kinds if kind != "image/png")


def test_there_are_three():
    assert [path.stem for path in NOTEBOOKS] == sorted(BUDGETS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_with_their_results(path):
    """Executed from top to bottom, small, without errors, warnings, bars or a machine's paths."""
    notebook = read(path)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert path.stat().st_size < LARGEST and pictures(notebook) >= 3
    assert {out.output_type for out in outputs(notebook)} <= {
        "stream",
        "display_data",
        "execute_result",
    }
    said = "".join(shown(out) for out in outputs(notebook))
    assert not re.search(r"Warning|<progress", said)
    sources = "".join(cell.source for cell in notebook.cells)
    assert not re.search(r"/(home|root|tmp|work|usr)/", said + sources)
    assert all(out.get("name") != "stderr" for out in outputs(notebook))
    for cell in cells:
        ast.parse(cell.source)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_of_the_tutorials_lead_somewhere(path):
    text = "\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    assert targets
    for target in targets:
        assert target.startswith("http") or (FOLDER / target).exists(), target


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.slow
def test_every_cell_runs(path, tmp_path, installed):
    """By a newcomer, who has the wheel alone."""
    pytest.importorskip("vcdvcd")
    pytest.importorskip("sklearn")
    shutil.copy(FOLDER / "drawings.py", tmp_path)
    notebook = read(path)
    kept = pictures(notebook)
    cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    known = {name.id for name in ast.walk(ast.parse(cell.source)) if isinstance(name, ast.Name)}
    assert BUDGETS[path.stem].keys() <= known
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in BUDGETS[path.stem].items())
    nbformat.write(notebook, tmp_path / path.name)
    done = installed.run("python", "-c", EXECUTE, path.name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-5000:]
    notebook = read(tmp_path / path.name)
    assert pictures(notebook) == kept
    said = "".join(map(shown, outputs(notebook)))
    assert not re.search(r"Warning|Traceback", said), said
