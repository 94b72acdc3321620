"""FINN's own build steps up to its estimates, none of which needs Vivado, and our folding for it.

Run as a module it is a process of its own: python -m finn_build.backends.finn.steps JOB, in the
folder with config.json and model.onnx, JOB as JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from finn_build.errors import ModelError
from finn_build.folding.cost import divisors
from finn_build.folding.fold import CONSTANT, Fold
from finn_build.folding.folding import Folding
from finn_build.network.graph import Network
from finn_build.network.layers import Mvtu

FOLDING = "folding.json"
BIAS_STEP = "finn_build.backends.finn.steps.step_integer_bias"
LAST = "step_generate_estimate_reports"
_SPECIALISED = "step_specialize_layers"
_UNITS = ("MVAU_hls", "MVAU_rtl")
# What a folding says of FINN's nodes.
_ATTRIBUTES = ["PE", "SIMD", "parallel_window", "ram_style", "resType", "mem_mode"]
_ROUNDING = 1e-2  # of an integer step: a bias that is no multiple of the scale


def step_integer_bias(model: ModelWrapper, cfg: Any) -> ModelWrapper:
    """Add the last layer's bias before its scale, as an integer; TopK then needs no scale.

    A step of FINN's build, after its streamlining, which leaves x * scale + bias: two float layers.
    Raises ModelError for a bias that is no multiple of the scale.
    """
    from finn.transformation.streamline.absorb import AbsorbScalarMulAddIntoTopK
    from qonnx.transformation.infer_datatypes import InferDataTypes

    for scaling in model.get_nodes_by_op_type("Mul"):
        adding = model.find_consumer(scaling.output[0])
        scale = model.get_initializer(scaling.input[1])
        if adding is None or adding.op_type != "Add" or scale is None or scale.size != 1:
            continue
        bias = model.get_initializer(adding.input[1]) / scale.item()
        whole = np.rint(bias)
        if np.abs(bias - whole).max() > _ROUNDING:
            raise ModelError(
                f"{adding.name}: the bias is not a multiple of the accumulator's scale"
            )
        scaling.op_type, adding.op_type = "Add", "Mul"
        scaling.input[1], adding.input[1] = adding.input[1], scaling.input[1]
        model.set_initializer(scaling.input[1], whole.astype(np.float32))
        bits = int(np.abs(whole).max()).bit_length() + 1
        model.set_tensor_datatype(scaling.input[1], DataType[f"INT{bits}"])
        model = model.transform(InferDataTypes())
    return model.transform(AbsorbScalarMulAddIntoTopK())


def parallelism(layer: Mvtu, fold: Fold, cycles: int) -> tuple[int, int]:
    """PE and SIMD for FINN: ours, or for constant weights the least that keeps the cycles."""
    if fold.memory != CONSTANT:
        return fold.pe, fold.simd
    legal = [
        (pe * simd, pe, simd)
        for pe in divisors(layer.rows)
        for simd in divisors(layer.cols)
        if layer.positions * layer.rows * layer.cols <= cycles * pe * simd
    ]
    _, pe, simd = min(legal, default=(0, layer.rows, layer.cols))
    return pe, simd


def translate(model: ModelWrapper, network: Network, folding: Folding) -> ModelWrapper:
    """Fold FINN's nodes as ours are; windows, pools and the rest by FINN's own rule.

    model: with specialised layers. Raises ModelError where FINN's units are not the network's.
    """
    from finn.transformation.fpgadataflow.set_folding import SetFolding

    # Without the second pass, which would slow all down to what its narrow matrix units reach.
    model = model.transform(SetFolding(folding.cycles, two_pass_relaxation=False))
    nodes = [node for node in model.graph.node if node.op_type in _UNITS]
    shapes = [(getCustomOp(n).get_nodeattr("MH"), getCustomOp(n).get_nodeattr("MW")) for n in nodes]
    if shapes != [(layer.rows, layer.cols) for layer in network.mvtus]:
        raise ModelError(f"FINN's matrix units are {shapes}, rows and inputs; not the network's")
    for node, layer in zip(nodes, network.mvtus, strict=True):
        fold, unit = folding.folds[layer.name], getCustomOp(node)
        pe, simd = parallelism(layer, fold, folding.costs[layer.name].cycles)
        unit.set_nodeattr("PE", pe)
        unit.set_nodeattr("SIMD", simd)
        unit.set_nodeattr("ram_style", "block" if fold.memory == "block" else "distributed")
        if node.op_type == "MVAU_hls":
            unit.set_nodeattr("resType", "dsp" if fold.dsp else "lut")
    return model


def _main(job: dict[str, Any]) -> None:
    import finn.xsi

    # FINN's steps import its simulator by name, which looks for Vivado; these steps never use it.
    vars(finn.xsi).update(dict.fromkeys(finn.xsi._LAZY_NAMES))
    from finn.builder.build_dataflow import resolve_build_steps
    from finn.builder.build_dataflow_config import DataflowBuildConfig
    from finn.util.config import extract_model_config_to_json
    from finn.util.settings import initialize_dummy_settings

    initialize_dummy_settings()
    network = Network.load(Path(job["network"]))
    folding = Folding.load(Path(job["folding"]), network)
    config = DataflowBuildConfig.construct_from(Path("config.json"))
    config.output_dir = str(Path(config.output_dir).resolve())
    model, seconds = ModelWrapper("model.onnx"), {}
    for step in resolve_build_steps(config):
        start = time.monotonic()
        print(f"headrace: FINN's {step.__name__}", flush=True)
        model = step(model, config)
        if step.__name__ == _SPECIALISED:
            folded = translate(model, network, folding)
            extract_model_config_to_json(folded, FOLDING, _ATTRIBUTES)
        seconds[step.__name__] = round(time.monotonic() - start, 1)
        if step.__name__ == LAST:
            break
    model.save("estimated.onnx")
    Path("steps.json").write_text(json.dumps(seconds, indent=2) + "\n")


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
