"""FINN's transformations in the order of its own dataflow build, as four stages.

The sequence follows FINN's `default_build_dataflow_steps` (Umuroglu et al., arXiv 1612.07119;
streamlining: arXiv 1709.04060); nothing here needs a vendor tool.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import finn.transformation.streamline.absorb as absorb
import numpy as np
from finn.transformation.fpgadataflow.convert_to_hw.conv_inp_gen import InferConvInpGen
from finn.transformation.fpgadataflow.convert_to_hw.pool import InferPool
from finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation import (
    InferQuantizedMatrixVectorActivation,
)
from finn.transformation.move_reshape import RemoveCNVtoFCFlatten
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from finn.transformation.streamline import Streamline
from finn.transformation.streamline.reorder import MakeMaxPoolNHWC
from finn.util.settings import initialize_dummy_settings
from onnx import helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import GiveUniqueNodeNames, RemoveUnusedTensors
from qonnx.transformation.infer_data_layouts import InferDataLayouts
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul

from finn_build.errors import ModelError

SUPPORTED = [
    "Add",
    "BatchNormalization",
    "BipolarQuant",
    "Conv",
    "Div",
    "Flatten",
    "Gemm",
    "Identity",
    "MatMul",
    "MaxPool",
    "Mul",
    "Quant",
    "Relu",
    "Reshape",
    "Sub",
    "Transpose",
]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep FINN's and qonnx's warnings off the terminal."""
    logging.getLogger("finn").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class FlattenReshapes(Transformation):  # type: ignore[misc]
    """Write every reshape to (1, N) as Flatten, which holds for any batch size."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Replace all matching nodes at once."""
        for node in model.get_nodes_by_op_type("Reshape"):
            before = model.get_tensor_shape(node.input[0])
            after = model.get_tensor_shape(node.output[0])
            if after is None or len(after) != 2 or before is None or before[0] != after[0]:
                continue
            node.op_type = "Flatten"
            del node.input[1:]
            del node.attribute[:]
        return model.transform(RemoveUnusedTensors()), False


def check_operators(model: ModelWrapper) -> None:
    """Raise ModelError for the first node that no stage below can turn into hardware."""
    for node in model.graph.node:
        if node.op_type not in SUPPORTED:
            raise ModelError(
                f"node {node.name or node.output[0]!r}: operator {node.op_type} is not supported; "
                f"supported: {', '.join(SUPPORTED)}"
            )
        dynamic = [i for i in node.input if i and model.get_initializer(i) is None]
        made = [i for i in dynamic if model.find_producer(i) is None or not _constant(model, i)]
        if len(made) > 1:
            raise ModelError(
                f"node {node.name or node.output[0]!r}: {node.op_type} of two computed tensors is "
                "a branch; only chains of layers are supported"
            )


def _constant(model: ModelWrapper, tensor: str) -> bool:
    """Whether a tensor depends on initializers alone."""
    if model.get_initializer(tensor) is not None:
        return True
    node = model.find_producer(tensor)
    return node is not None and all(_constant(model, i) for i in node.input if i)


def apply(model: ModelWrapper, passes: Sequence[Transformation]) -> ModelWrapper:
    """Run passes one after another."""
    for each in passes:
        model = model.transform(each)
    return model


def load(path: str) -> ModelWrapper:
    """Read a QONNX file with one image input; batch size 1, flattening batch-generic."""
    try:
        model = ModelWrapper(path)
    except Exception as error:  # protobuf raises its own, undocumented types
        raise ModelError(f"{path}: not a readable ONNX file ({error})") from error
    shape = model.get_tensor_shape(model.graph.input[0].name) if model.graph.input else None
    if shape is None or len(shape) != 4:
        raise ModelError(f"{path}: the input's shape is {shape}; want (1, channels, height, width)")
    check_operators(model)
    return apply(model, [InferShapes(), FlattenReshapes()])


def scale_pixels(model: ModelWrapper, factor: float) -> ModelWrapper:
    """Multiply the input, so that a graph that wants other values takes bytes."""
    pixels = model.graph.input[0].name
    scaled, scale = model.make_new_valueinfo_name(), f"{pixels}_scale"
    for node in model.find_consumers(pixels):
        node.input[:] = [scaled if name == pixels else name for name in node.input]
    model.set_tensor_shape(scaled, model.get_tensor_shape(pixels))
    model.set_initializer(scale, np.array(factor, np.float32))
    model.graph.node.insert(0, helper.make_node("Mul", [pixels, scale], [scaled]))
    return model


def convert(model: ModelWrapper) -> ModelWrapper:
    """QONNX quantisers to integer weights and thresholds; the input becomes UINT8 pixels."""
    initialize_dummy_settings()
    with quiet():
        model = model.transform(ConvertQONNXtoFINN())
        model.set_tensor_datatype(model.graph.input[0].name, DataType["UINT8"])
        return model.transform(InferDataTypes())


def streamline(model: ModelWrapper) -> ModelWrapper:
    """Move every scale and bias into thresholds, or behind the last layer."""
    with quiet():
        return model.transform(Streamline())


def lower(model: ModelWrapper) -> ModelWrapper:
    """Convolutions to windows and matrix products, channels last."""
    with quiet():
        return apply(
            model,
            [
                LowerConvsToMatMul(),
                MakeMaxPoolNHWC(),
                absorb.AbsorbTransposeIntoMultiThreshold(),
                MakeMaxPoolNHWC(),
                absorb.AbsorbConsecutiveTransposes(),
                Streamline(),
                RemoveUnusedTensors(),
                InferDataTypes(),
            ],
        )


def _check_pads(model: ModelWrapper) -> None:
    for node in model.get_nodes_by_op_type("Im2Col"):
        values = model.get_tensor_datatype(node.input[0])
        if any(getCustomOp(node).get_nodeattr("pad_amount")) and not values.allowed(0):
            raise ModelError(
                f"node {node.name or node.output[0]!r}: its padding is zero, which {values.name} "
                "activations cannot be; use no padding, or activations that can"
            )


def to_hardware(model: ModelWrapper) -> ModelWrapper:
    """Windows, matrix products and pools to FINN's hardware layers.

    Raises ModelError where a window is padded with zeros that its activations cannot be.
    """
    _check_pads(model)
    with quiet():
        return apply(
            model,
            [
                InferDataLayouts(),
                InferQuantizedMatrixVectorActivation(),
                InferPool(),
                InferConvInpGen(),
                RemoveCNVtoFCFlatten(),
                absorb.AbsorbConsecutiveTransposes(),
                GiveUniqueNodeNames(),
                InferDataTypes(),
            ],
        )
