"""Files that are no sound graphs, or hold numbers that are none: what is wrong with each.

Made from one sound graph, each with a single change. `REFUSED` says what a message must hold; the
others must be built, equal to qonnx's execution of the tidy graph.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from graphs import QONNX, Graph, base, constant, find, last
from onnx import ModelProto, TensorProto, helper, numpy_helper

CASES: dict[str, Callable[[], ModelProto]] = {}
REFUSED = {
    "mal_abits_nan": r"tensor 'c\d+': it is nan, not finite",
    "mal_abits_neg": r"'Quant_\d+' \(Quant\): a bit width of -3; use 1 to 32",
    "mal_abits_zero": r"'Quant_\d+' \(Quant\): a bit width of 0; use 1 to 32",
    "mal_ascale_nan": r"tensor 'c\d+': it is nan, not finite",
    "mal_axis": r"op_type:Concat, node name: Concat_\d+\).*axis must be in",
    "mal_axes_note": r"metadata 'headrace.axes': 'abc'; want numbers of dimensions",
    "mal_baddims": r"tensor 'c\d+': 108 numbers for the shape \[5, 3, 3, 3\], which has 135",
    "mal_badout": r"no node makes the output 'nobody'",
    "mal_bn_infbeta": r"tensor 'c\d+': element \[2\] is inf, not finite",
    "mal_bn_negvar": r"BatchNormalization\): the variance of channel 2, -1, is below zero",
    "mal_cast_half": r"'Cast_\d+' \(Cast\): rounds to half precision.*export in float32",
    "mal_cast_weights": r"'Cast_\d+' \(Cast\): does more with the quantised weights",
    "mal_clip_above": r"'Clip_\d+' \(Clip\): its min of inf leaves no finite number",
    "mal_clip_below": r"'Clip_\d+' \(Clip\): its max of -inf leaves no finite number",
    "mal_clip_vector": r"'Clip_\d+' \(Clip\): its min has the shape \[4\]; want one number",
    "mal_concats": r"'Concat_\d+' \(Concat\): gives [\d,]+ values for an image; use at most",
    "mal_constant_bits": r"\(Constant\): the constant '\w+' that it makes: .* is inf, not finite",
    "mal_constant_nan": r"tensor 't\d+': it is nan, not finite",
    "mal_constant_text": r"\(Constant\): holds no numbers, but 'value_string'",
    "mal_constants": r"the constants that the file computes up to here have more than 67,108,864",
    "mal_cycle": r"depends on its own output; a network must have no cycles",
    "mal_deep": r"3,0\d\d nodes, the first of them node '\w+' \(\w+\); use at most 2,500",
    "mal_dup": r"'Relu_\d+' \(Relu\): makes 't\d+', as node 'Relu_\d+' \(Relu\) does",
    "mal_empty_weights": r"\(MatMul\): its weights of shape \[150, 0\] are empty",
    "mal_functions": r"functions of its own, as 'F'; inline them",
    "mal_half": r"input 'in0': its numbers are FLOAT16; use FLOAT, or UINT8",
    "mal_huge_values": r"\(Mul\): its values reach beyond those of float32",
    "mal_hugech": r"input 'in0': [\d,]{20,} values in an image; use at most",
    "mal_hugeimg": r"input 'in0': 30,000,000,000 values in an image; use at most",
    "mal_hugew": r"tensor 'c\d+': 108 numbers for the shape \[1099511627776, 3, 3, 3\]",
    "mal_integers": r"op_type:Add, node name: Add_\d+\).*tensor\(int64\)",
    "mal_kshape": r"\(Conv\): kernel_shape \[5, 5\] does not fit weights of \[3, 3\]",
    "mal_long_kind": r"^node 'A_\d+' \('A{57}\.\.\.'\): operator 'A{57}\.\.\.' is not",
    "mal_names_err": r"^node '\\x1b\[31m<script>\\n../x' \('Er\\x1b\[2Jf\\nfake: ok'\): operator",
    "mal_negdim": r"input 'in0': its shape is \[1, 3, -1, 12\]; every side",
    "mal_negpad": r"\(Conv\): kernel \[3, 3\], pads \[-1, -1, -1, -1\]: want 4 paddings",
    "mal_nonodes": r"the graph has no nodes",
    "mal_noout": r"the graph has no outputs",
    "mal_noscale": r"'Quant_\d+' \(Quant\): reads 'nothere', which no node makes",
    "mal_noweight": r"'Quant_\d+' \(Quant\): reads 'nothere', which no node makes",
    "mal_old": r"operators of version 6; use 7 to",
    "mal_q2": r"'Quant_\d+' \(Quant\): has 2 inputs; want 4",
    "mal_sparse": r"tensor 's': it is sparse; save it dense",
    "mal_strings": r"tensor 'c\d+': its numbers are STRING; use FLOAT or integers",
    "mal_stride0": r"'Conv_\d+' \(Conv\): strides \[0, 0\]: use 1 to",
    "mal_w_inf": r"tensor 'c\d+': element \[0, 3\] is inf, not finite",
    "mal_wbits_nan": r"tensor 'c\d+': it is nan, not finite",
    "mal_wrongc": r"\(Conv\): weights of shape \[4, 3, 3, 3\] in 1 groups do not fit 4 channels",
    "mal_wscale_nan": r"tensor 'c\d+': it is nan, not finite",
    "mal_zeroch": r"input 'in0': its shape is \[1, '\?', 12, 12\]; every side",
    "mal_zp_frac": r"'Quant_\d+' \(Quant\): its zero point \[2.5\] is not one whole number",
}


def sound() -> ModelProto:
    """What the others are made from."""
    g = base()
    return g.model(last(g))


def broken(change: Callable[[ModelProto], Any]) -> Callable[[ModelProto], Any]:
    """Keep the sound graph with a change, under the name of what changes it."""

    def make() -> ModelProto:
        made = sound()
        change(made)
        return made

    CASES[f"mal_{change.__name__}"] = make
    return change


def place(made: ModelProto, what: str) -> str:
    """The tensor that holds a kind of numbers."""
    weights, act = find(made, "Quant", 1), find(made, "Quant", 2)
    norm, dense = find(made, "BatchNormalization"), find(made, "Quant", 5)
    return {
        "weights": weights.input[0],
        "last weights": dense.input[0],
        "weight scale": weights.input[1],
        "weight zero point": weights.input[2],
        "weight bits": weights.input[3],
        "pixel scale": find(made, "Quant").input[1],
        "scale": act.input[1],
        "zero point": act.input[2],
        "bits": act.input[3],
        "gamma": norm.input[1],
        "beta": norm.input[2],
        "mean": norm.input[3],
        "variance": norm.input[4],
    }[what]


def put(made: ModelProto, what: str, number: float, index: tuple[int, ...] = ()) -> None:
    """Put a number into a tensor; a scalar needs no index."""

    def change(values: Any) -> Any:
        values = np.array(values)
        values[index] = number
        return values

    constant(made, place(made, what), change)


def _number(name: str, what: str, number: float, *index: int) -> None:
    def change(made: ModelProto) -> None:
        put(made, what, number, index)

    change.__name__ = name
    broken(change)


_number("abits_nan", "bits", np.nan)
_number("abits_neg", "bits", -3)
_number("abits_zero", "bits", 0)
_number("ascale_nan", "scale", np.nan)
_number("bn_infbeta", "beta", np.inf, 2)
_number("bn_negvar", "variance", -1, 2)
_number("w_inf", "last weights", np.inf, 0, 3)
_number("wbits_nan", "weight bits", np.nan)
_number("wscale_nan", "weight scale", np.nan)
_number("zp_frac", "zero point", 2.5)


def _shape(name: str, *sides: int) -> None:
    def change(made: ModelProto) -> None:
        dims = made.graph.input[0].type.tensor_type.shape.dim
        for dim, side in zip(dims, (1, *sides), strict=True):
            dim.dim_value = side

    change.__name__ = name
    broken(change)


_shape("hugech", 2**62, 12, 12)
_shape("hugeimg", 3, 100_000, 100_000)
_shape("negdim", 3, -1, 12)
_shape("wrongc", 4, 12, 12)
_shape("zeroch", 0, 12, 12)


def _attribute(name: str, attribute: str, value: list[int]) -> None:
    def change(made: ModelProto) -> None:
        node = find(made, "Conv")
        next(a for a in node.attribute if a.name == attribute).ints[:] = value

    change.__name__ = name
    broken(change)


_attribute("kshape", "kernel_shape", [5, 5])
_attribute("negpad", "pads", [-1] * 4)
_attribute("stride0", "strides", [0, 0])


def _dims(name: str, filters: int) -> None:
    def change(made: ModelProto) -> None:
        constant(made, place(made, "weights")).dims[0] = filters

    change.__name__ = name
    broken(change)


_dims("baddims", 5)
_dims("hugew", 2**40)


@broken
def badout(made: ModelProto) -> None:
    made.graph.output[0].name = "nobody"


@broken
def cycle(made: ModelProto) -> None:
    find(made, "Quant").input[0] = find(made, "Relu").output[0]


@broken
def dup(made: ModelProto) -> None:
    find(made, "Relu", 1).output[0] = find(made, "Relu").output[0]


@broken
def deep(made: ModelProto) -> None:
    name = place(made, "weights")
    chain = [helper.make_node("Identity", [name], ["id0"], name="id0")]
    for i in range(1, 3000):
        chain.append(helper.make_node("Identity", [f"id{i - 1}"], [f"id{i}"], name=f"id{i}"))
    find(made, "Quant", 1).input[0] = "id2999"
    nodes = [*chain, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)


@broken
def nonodes(made: ModelProto) -> None:
    del made.graph.node[:]


@broken
def noout(made: ModelProto) -> None:
    del made.graph.output[:]


@broken
def noscale(made: ModelProto) -> None:
    find(made, "Quant", 5).input[1] = "nothere"


@broken
def noweight(made: ModelProto) -> None:
    find(made, "Quant", 1).input[0] = "nothere"


@broken
def q2(made: ModelProto) -> None:
    del find(made, "Quant", 5).input[2:]


@broken
def unsorted(made: ModelProto) -> None:
    nodes = list(made.graph.node)[::-1]
    del made.graph.node[:]
    made.graph.node.extend(nodes)


@broken
def axes_note(made: ModelProto) -> None:
    helper.set_model_props(made, {"headrace.axes": "abc"})


@broken
def half(made: ModelProto) -> None:
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16


@broken
def old(made: ModelProto) -> None:
    made.opset_import[0].version = 6


@broken
def functions(made: ModelProto) -> None:
    inner = helper.make_node("Relu", ["a"], ["b"])
    made.functions.append(
        helper.make_function("own", "F", ["a"], ["b"], [inner], list(made.opset_import))
    )


@broken
def sparse(made: ModelProto) -> None:
    parts = [numpy_helper.from_array(np.ones(1, np.float32), "s")]
    parts.append(numpy_helper.from_array(np.zeros(1, np.int64)))
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(*parts, [3]))


@broken
def strings(made: ModelProto) -> None:
    name = place(made, "scale")
    constant(made, name).CopyFrom(helper.make_tensor(name, TensorProto.STRING, [], [b"1"]))


def _within(make: Callable[[Graph, str], str]) -> Callable[[Graph, str], str]:
    """Keep a sound graph with nodes between a convolution and its quantiser."""

    def made() -> ModelProto:
        g = Graph(3, 8, 8)
        return g.end(g.act(make(g, g.conv(g.quant("in0"), 4))))

    CASES[f"mal_{make.__name__}"] = made
    return make


@_within
def axis(g: Graph, x: str) -> str:
    return g.op("Concat", g.act(x), axis=5)


@_within
def cast_half(g: Graph, x: str) -> str:
    return g.op("Cast", g.op("Cast", x, to=TensorProto.FLOAT16), to=TensorProto.FLOAT)


@_within
def cast_weights(g: Graph, x: str) -> str:
    whole = g.op("Cast", g.weights(4, 4, 1, 1), to=TensorProto.INT32)
    return g.conv(x, 4, 1, weights=g.op("Cast", whole, to=TensorProto.FLOAT))


@_within
def clip_above(g: Graph, x: str) -> str:
    return g.op("Clip", x, g.constant(np.inf))


@_within
def clip_below(g: Graph, x: str) -> str:
    return g.op("Clip", x, "", g.constant(-np.inf))


@_within
def clip_vector(g: Graph, x: str) -> str:
    return g.op("Clip", x, g.constant([0, 1, 2, 3]))


@_within
def concats(g: Graph, x: str) -> str:
    x = g.act(x)
    for _ in range(30):
        x = g.op("Concat", x, x, axis=1)
    return x


@_within
def constant_bits(g: Graph, x: str) -> str:
    bits = g.op("Constant", value_float=float("inf"))
    numbers = (g.constant(1), g.constant(0), bits)
    return g.op("Quant", x, *numbers, domain=QONNX, signed=0, narrow=0, rounding_mode="ROUND")


@_within
def constant_nan(g: Graph, x: str) -> str:
    value = numpy_helper.from_array(np.array(np.nan, np.float32))
    return g.op("Add", x, g.op("Constant", value=value))


@_within
def constant_text(g: Graph, x: str) -> str:
    return g.op("Add", x, g.op("Constant", value_string="one"))


@_within
def constants(g: Graph, x: str) -> str:
    wide = g.op("ConstantOfShape", g.constant([1 << 24], np.int64))
    for _ in range(30):
        wide = g.op("Add", wide, g.constant(1))
    return g.op("Add", x, wide)


@_within
def integers(g: Graph, x: str) -> str:
    return g.op("Add", x, g.constant(1, np.int64))


@_within
def long_kind(g: Graph, x: str) -> str:
    return g.op("A" * 100_000, x, name="A_0")


def _empty_weights() -> ModelProto:
    g = base()
    weights = g.quant(g.constant(np.zeros((150, 0))), 0.5, 3, signed=1)
    return g.model(g.op("MatMul", g.nodes[-2].input[0], weights, shape=(0,)))


CASES["mal_empty_weights"] = _empty_weights


def _huge_values() -> ModelProto:
    g = base()
    x = last(g)
    for _ in range(12):
        x = g.op("Mul", x, g.constant(1e38))
    return g.model(x)


CASES["mal_huge_values"] = _huge_values


def _names_err() -> ModelProto:
    g = base()
    return g.model(g.op("Er\x1b[2Jf\nfake: ok", last(g), name="\x1b[31m<script>\n../x"))


CASES["mal_names_err"] = _names_err


@broken
def f64(made: ModelProto) -> None:
    constant(made, place(made, "weights"), lambda values: values.astype(np.float64))


@broken
def allf64(made: ModelProto) -> None:
    for tensor in made.graph.initializer:
        wide = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
    for info in (*made.graph.input, *made.graph.output):
        info.type.tensor_type.elem_type = TensorProto.DOUBLE


__all__ = ["CASES", "REFUSED", "Graph", "place", "put", "sound"]
