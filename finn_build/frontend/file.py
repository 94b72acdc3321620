"""Open a QONNX file from anywhere and make it a tidy graph."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto
from onnx.external_data_helper import ExternalDataInfo, load_external_data_for_tensor

from finn_build.errors import ModelError
from finn_build.frontend.check import UNFORESEEN, check_structure, shown
from finn_build.frontend.tidy import tidy

MOST_BYTES = 1 << 31  # what protobuf can read


def load(path: Path | str) -> ModelProto:
    """Read a file and return its graph as `tidy` leaves it.

    Raises ModelError for a file that is not ONNX, for a graph that cannot be a network (a cycle, a
    tensor that nothing makes, shapes that do not fit, numbers that are not finite), and for
    operators that `tidy` cannot resolve.
    """
    path = Path(path)
    proto = parse(path)
    _external(proto, path.parent)
    try:
        check_structure(proto)
        return tidy(proto)
    except UNFORESEEN as error:
        raise ModelError(f"{path}: cannot be read ({error!r})") from error


def parse(path: Path) -> ModelProto:
    """Read a file as it is. Raises ModelError for a file that is not ONNX."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path}: larger than 2 GiB, which ONNX files cannot be")
        proto = onnx.load_model_from_string(path.read_bytes())
    except (DecodeError, OSError, ValueError) as error:
        raise ModelError(f"{path}: not a readable ONNX file ({error})") from error
    if not proto.HasField("graph"):
        raise ModelError(f"{path}: not a readable ONNX file (it holds no graph)")
    return proto


def _external(proto: ModelProto, folder: Path) -> None:
    """Read tensors from files beside the model's; files outside its folder are not opened."""
    left = MOST_BYTES
    for tensor in proto.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        name = shown(tensor.name)
        try:
            info = ExternalDataInfo(tensor)
            file = (folder / info.location).resolve()
            inside = file.is_relative_to(folder.resolve()) and file.is_file()
            if not info.location or not inside:
                raise ModelError(
                    f"tensor {name}: its data is in {shown(info.location)}, which is not a file "
                    "beside the model; put it there, or save the model as one file"
                )
            start, size = info.offset or 0, file.stat().st_size
            length = size - start if info.length is None else info.length
            if start < 0 or length < 0 or start + length > size:
                raise ModelError(
                    f"tensor {name}: its data lies beyond the end of {shown(file.name)}"
                )
            left -= length
            if left < 0:
                raise ModelError(f"tensor {name}: with its data the model is larger than 2 GiB")
            load_external_data_for_tensor(tensor, str(folder))
        except (ValueError, KeyError, OSError, onnx.checker.ValidationError) as error:
            raise ModelError(f"tensor {name}: its data cannot be read ({error})") from error
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]
