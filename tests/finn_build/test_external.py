"""Tensors whose numbers are in a file of their own: beside the model, and nowhere else."""

from pathlib import Path

import numpy as np
import pytest
from broken import constant, place, sound
from onnx import ModelProto, TensorProto

from finn_build import frontend
from finn_build.errors import ModelError
from finn_build.network import golden

DATA = "weights.bin"


def outside(folder: Path, **said: str) -> Path:
    """A sound model whose first weights are in DATA; said: entries other than the usual ones."""
    made = sound()
    tensor = constant(made, place(made, "weights"))
    raw, entries = tensor.raw_data, {"location": DATA, **said}
    (folder / DATA).write_bytes(raw)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return save(made, folder)


def save(model: ModelProto, folder: Path) -> Path:
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_numbers_beside_the_file_are_its_own(tmp_path):
    (tmp_path / "whole").mkdir()
    images = np.random.default_rng(2).integers(0, 256, (5, 12, 12, 3), np.uint8)
    first, second = (
        golden.run(frontend.read(frontend.load(path), "m").network, images).logits
        for path in (outside(tmp_path), save(sound(), tmp_path / "whole"))
    )
    assert np.array_equal(first, second)


@pytest.mark.parametrize("location", ["/etc/passwd", "../there", "link", ".", "", "none", "\x1b"])
def test_no_other_file_is_opened(tmp_path, location):
    inner = tmp_path / "models"
    inner.mkdir()
    (tmp_path / "there").write_bytes(bytes(432))
    (inner / "link").symlink_to(tmp_path / "there")
    with pytest.raises(ModelError, match=r"tensor 'c\d+': its data is in '.*', which is not a"):
        frontend.load(outside(inner, location=location))


@pytest.mark.parametrize(
    "said", [{"offset": "8"}, {"length": "9999"}, {"offset": "-4"}, {"length": "x"}]
)
def test_numbers_that_are_not_there_are_refused(tmp_path, said):
    path = outside(tmp_path, **said)
    with pytest.raises(ModelError, match=r"tensor 'c\d+': "):
        frontend.load(path)


def test_a_file_that_no_memory_holds_is_not_read(tmp_path):
    path = outside(tmp_path)
    with (tmp_path / DATA).open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelError, match=r"tensor 'c\d+': .*larger than 2 GiB"):
        frontend.load(path)
