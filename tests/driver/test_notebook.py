"""The notebook, executed by Jupyter's own client over the simulated board."""

from __future__ import annotations

import ast
import re
import shutil

import nbformat
from nbclient import NotebookClient

from finn_build.flow import driver_files


def test_every_cell_runs(written, tiny, environment, monkeypatch, tmp_path):
    folder = shutil.copytree(written, tmp_path / "deploy")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(folder / "headrace.ipynb", as_version=4)
    client = NotebookClient(notebook, timeout=300, kernel_name="python3",
                            resources={"metadata": {"path": str(folder)}})  # fmt: skip
    client.execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    text = "".join(out.get("text", "") for out in outputs)
    pictures = [out for out in outputs if "image/png" in out.get("data", {})]
    right = (tiny.expected.labels[:100] == tiny.truth[:100]).mean()
    assert "tiny on pynq-z2, FCLK0 100 MHz" in text and "100 images, 0 mismatches" in text
    assert f"{100 * right:.2f} % of 100 images right" in text
    assert len(pictures) == 3, "images with labels, confusion matrix, rate against batch size"
    assert re.search(r"1,000 images: +2\d\d,\d{3} frames/s", text)


def test_the_notebook_is_kept_without_results_and_for_python_3_8():
    path = next(path for path in driver_files.FILES if path.suffix == ".ipynb")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None
            ast.parse(cell.source, feature_version=(3, 8))
