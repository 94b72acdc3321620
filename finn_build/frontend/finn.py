"""FINN's streamlining of the same graph, as a witness: another way to integers, to compare with.

The sequence follows FINN's `default_build_dataflow_steps` (Umuroglu et al., arXiv 1612.07119;
streamlining: arXiv 1709.04060); nothing here needs a vendor tool. On some models FINN's passes fail
or never end, so they run in a process of their own:
`python -m finn_build.frontend.finn MODEL FOLDER`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import finn.transformation.streamline.absorb as absorb
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from finn.transformation.streamline import Streamline
from finn.transformation.streamline.reorder import MakeMaxPoolNHWC
from finn.util.settings import initialize_dummy_settings
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import RemoveUnusedTensors
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul

from finn_build.system.quiet import quiet

STREAMLINED, LOWERED = "streamlined.onnx", "lowered.onnx"
QUANTISERS = ("Quant", "BipolarQuant")


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


def _apply(model: ModelWrapper, passes: Sequence[Transformation]) -> ModelWrapper:
    for each in passes:
        model = model.transform(each)
    return model


def streamline(model: ModelWrapper) -> ModelWrapper:
    """A QONNX graph for bytes with every scale and bias in thresholds, or after the last layer."""
    initialize_dummy_settings()
    quantised = [node.output[0] for node in model.graph.node if node.op_type in QUANTISERS]
    with quiet():
        model = _apply(model, [InferShapes(), FlattenReshapes(), ConvertQONNXtoFINN()])
        _mark(model, quantised)
        model.set_tensor_datatype(model.graph.input[0].name, DataType["UINT8"])
        return _apply(model, [InferDataTypes(), Streamline()])


def _mark(model: ModelWrapper, quantised: Sequence[str]) -> None:
    """Note in each MultiThreshold which quantised tensor it came from.

    FINN's passes rename nodes and tensors and reorder branches, but keep this note.
    """
    for tensor in quantised:
        node = model.find_producer(tensor)
        while node is not None and node.op_type in ("Mul", "Add"):
            node = model.find_producer(node.input[0])
        if node is not None and node.op_type == "MultiThreshold":
            node.doc_string = tensor


def lower(model: ModelWrapper) -> ModelWrapper:
    """A streamlined graph with windows and matrix products for convolutions, channels last."""
    with quiet():
        return _apply(
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


def main(source: str, folder: str) -> None:
    """Leave the streamlined and the lowered graph in a folder."""
    streamlined = streamline(ModelWrapper(source))
    streamlined.save(str(Path(folder) / STREAMLINED))
    lower(streamlined).save(str(Path(folder) / LOWERED))


if __name__ == "__main__":
    main(*sys.argv[1:])
