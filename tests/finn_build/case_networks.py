"""Graphs that differ in the whole: dense ones, what their ends are, how the file is written."""

from collections.abc import Callable

import numpy as np
from graphs import QONNX, SAME, Cases, Graph, base, find, last
from onnx import ModelProto, TensorProto, helper

CASES = Cases()


# Dense networks.
def _mlp(g: Graph, x: str, hidden: int, bits: int) -> str:
    n = g.shapes[x][-1]
    x = g.norm(g.dense(x, hidden, scale=0.1, bits=bits), 10.0 * np.sqrt(n) * (1 << (bits - 1)))
    return g.act(x, 0.4, bits)


@CASES.add
def mlp2d() -> ModelProto:
    g = Graph(16)
    return g.model(g.dense(_mlp(g, g.quant("in0"), 64, 4), 5, scale=0.1, bits=4))


def _dense(order: str, channels: int = 1) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = Graph(channels, 8, 8)
        x = "in0"
        for step in order:
            x = g.flat(x) if step == "f" else g.quant(x)
        return g.model(g.dense(_mlp(g, x, 16, 2), scale=0.1))

    return make


CASES["mlp4d_q"] = _dense("fq")
CASES["mlp4d_qf"] = _dense("qf")
CASES["mlp4d_rgb"] = _dense("f", 3)


@CASES.add
def one_layer() -> ModelProto:
    g = Graph(1, 8, 8)
    return g.model(g.dense(g.flat("in0"), scale=0.1, bits=4))


@CASES.add
def one_conv() -> ModelProto:
    g = Graph(1, 8, 8)
    w = g.weights(10, 1, 8, 8, scale=0.1, bits=4)
    return g.model(g.flat(g.conv(g.quant("in0"), 10, 8, weights=w)))


@CASES.add
def brev_TFC_1W1A() -> ModelProto:  # noqa: N802, the name of Brevitas' model
    g = Graph(1, 28, 28, opset=20)
    x = g.op("Reshape", "in0", g.constant([1, -1], np.int64), shape=(784,), allowzero=1)
    x = g.op("Sub", g.op("Mul", x, g.constant(2)), g.constant([1]))
    for before, after in ((784, 64), (64, 64), (64, 64), (64, 10)):
        x = g.op("BipolarQuant", x, g.constant([1]), domain=QONNX)
        values = g.constant(g.random.uniform(-1, 1, (after, before)))
        w = g.op("BipolarQuant", values, g.constant([1]), domain=QONNX)
        x = g.op("Gemm", x, w, shape=(after,), alpha=1.0, beta=1.0, transA=0, transB=1)
        x = g.norm(x, np.sqrt(before)) if after == 64 else x
    x = g.op("Div", g.op("Sub", x, g.constant([0.0622])), g.constant([6.578]))
    return g.model(g.op("Add", g.op("Mul", x, g.constant([1])), g.constant([0])))


@CASES.add
def brev_pow2() -> ModelProto:
    g = Graph(3, 16, 16, opset=20)
    x = g.quant("in0", 0.007812234107404947, 8, signed=1)
    for filters, scale in ((8, 2.0**-5), (16, 2.0**-6)):
        w = g.weights(filters, g.shapes[x][0], 3, 3, scale=scale, bits=4)
        x = g.conv(x, filters, pads=SAME, weights=w)
        x = g.pool(g.act(g.norm(x, 0.3), 0.25, 4))
    flat = g.op("Reshape", x, g.constant([1, 256], np.int64), shape=(256,), allowzero=1)
    w = g.weights(10, 256, scale=2.0**-8, bits=4)
    return g.model(g.op("Gemm", flat, w, shape=(10,), alpha=1.0, beta=1.0, transA=0, transB=1))


@CASES.add
def lenet() -> ModelProto:
    g = Graph(1, 28, 28)
    x = g.quant("in0")
    for filters, pads, scale, step in ((6, (2,) * 4, 60.0, 1.0), (16, (0,) * 4, 20.0, 1.0)):
        w = g.weights(filters, g.shapes[x][0], 5, 5, scale=0.05, bits=4)
        bias = 0.05 * step * g.random.integers(-400, 400, filters)
        x = g.pool(g.act(g.conv(x, filters, 5, pads=pads, weights=w, bias=bias), scale / 4, 4))
    x = g.dense(g.flat(x), 120, scale=0.05, bits=4)
    x = g.op("Add", x, g.constant(0.05 * 5 * g.random.integers(-50, 50, 120)))
    x = g.act(x, 11.0, 4)
    x = g.act(g.dense(x, 84, scale=0.05, bits=4), 9.0, 4)
    return g.model(g.dense(x, scale=0.05, bits=4))


# Ends.
def _classes(count: int) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = base(count)
        return g.model(last(g))

    return make


CASES["two_classes"] = _classes(2)
CASES["classes1000"] = _classes(1000)


def _ended(kind: str, inputs: tuple[int, ...] = (), **more: object) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = base()
        numbers = [g.constant([n], np.int64) for n in inputs]
        return g.model(g.op(kind, last(g), *numbers, **more))

    return make


CASES["end_relu"] = _ended("Relu")
CASES["end_sigmoid"] = _ended("Sigmoid")
CASES["end_softmax"] = _ended("Softmax", axis=-1)


def _label(made: ModelProto) -> ModelProto:
    """With a single integer as output."""
    kind = made.graph.output[0].type.tensor_type
    kind.elem_type = TensorProto.INT64
    kind.shape.dim[1].dim_value = 1
    return made


CASES["end_argmax"] = lambda: _label(_ended("ArgMax", axis=1, keepdims=1)())


@CASES.add
def end_topk() -> ModelProto:
    made = _label(_ended("TopK", (1,))())
    node = find(made, "TopK")
    node.output[:] = ["values", "out0"]
    return made


@CASES.add
def end_bn() -> ModelProto:
    g = base()
    return g.model(g.norm(last(g), 2.0))


@CASES.add
def end_wperchan() -> ModelProto:
    g = base()
    dense = g.nodes[-1]
    scales = g.random.uniform(0.03, 0.12, (1, 10))
    g.constants[g.nodes[-2].input[1]] = scales.astype(np.float32)
    return g.model(dense.output[0])


def _fully_convolutional(*, flat: bool) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = Graph(3, 12, 12)
        x = g.conv(g.block(g.pool(g.first()), 6), 10)
        return g.model(g.flat(x) if flat else x)

    return make


CASES["end_conv"] = _fully_convolutional(flat=True)
CASES["end_conv4d"] = _fully_convolutional(flat=False)


@CASES.add
def allzero_last() -> ModelProto:
    g = base()
    values = g.constants[g.nodes[-2].input[0]]
    values[:] = 0
    return g.model(last(g))


# Float weights.
def _floats(*layers: str) -> Callable[[], ModelProto]:
    def make() -> ModelProto:
        g = Graph(3, 12, 12)
        first = g.constant(g.random.normal(0, 0.2, (6, 3, 3, 3)))
        x = "in0" if "first" in layers else g.quant("in0")
        w = first if "first" in layers else g.weights(6, 3, 3, 3)
        x = g.flat(g.pool(g.act(g.norm(g.conv(x, 6, weights=w), 170.0), 0.4)))
        if "last" not in layers:
            return g.model(g.dense(x))
        return g.model(g.op("MatMul", x, g.constant(g.random.normal(0, 1, (150, 10))), shape=(10,)))

    return make


CASES["float_first"] = _floats("first")
CASES["float_last"] = _floats("last")


@CASES.add
def float_net() -> ModelProto:
    g = Graph(3, 12, 12)
    w = g.constant(g.random.normal(0, 0.2, (6, 3, 3, 3)))
    x = g.flat(g.pool(g.op("Relu", g.norm(g.conv("in0", 6, weights=w), 170.0))))
    return g.model(g.op("MatMul", x, g.constant(g.random.normal(0, 1, (150, 10))), shape=(10,)))


# Leftovers, branches and other ways to write the same.
@CASES.add
def dropout() -> ModelProto:
    g = Graph(3, 12, 12)
    x = g.op("Dropout", g.flat(g.block(g.pool(g.first()), 6)))
    return g.model(g.dense(x))


@CASES.add
def leftovers() -> ModelProto:
    g = Graph(3, 12, 12)
    x = g.quant(g.op("Cast", "in0", to=TensorProto.FLOAT))
    x = g.op("Identity", g.block(x, 6, 170.0))
    return g.model(g.dense(g.op("Dropout", g.flat(g.pool(x)))))


@CASES.add
def dead_branch() -> ModelProto:
    g = Graph(3, 12, 12)
    x = g.pool(g.first())
    g.block(x, 5)  # nobody reads it
    return g.end(g.block(x, 6))


@CASES.add
def two_outs_first() -> ModelProto:
    g = Graph(3, 12, 12)
    hidden = g.pool(g.first())
    return g.model(hidden, g.dense(g.flat(g.block(hidden, 6))))


@CASES.add
def concat() -> ModelProto:
    g = Graph(3, 12, 12)
    x = g.quant("in0")
    sides = g.block(x, 4, 170.0, pads=SAME), g.block(x, 4, 60.0, kernel=1)
    return g.end(g.op("Concat", *sides, shape=(8, 12, 12), axis=1))


@CASES.add
def residual() -> ModelProto:
    g = Graph(3, 12, 12)
    x = g.first(pads=SAME)
    y = g.act(g.norm(g.conv(x, 4, pads=SAME)), 0.5)
    return g.end(g.quant(g.op("Add", x, y), 0.4, 4))


@CASES.add
def qcdq() -> ModelProto:
    g = Graph(3, 12, 12)

    def pair(x: str, scale: float, kind: type) -> str:
        numbers = [g.constant(scale), g.constant(0, kind)]
        return g.op("DequantizeLinear", g.op("QuantizeLinear", x, *numbers), *numbers)

    def weights(*shape: int) -> str:
        values = g.constant(g.random.integers(-127, 128, shape), np.int8)
        return g.op("DequantizeLinear", values, g.constant(0.0015), g.constant(0, np.int8))

    x = g.norm(g.conv(pair("in0", 0.0078, np.int8), 8, weights=weights(8, 3, 3, 3)))
    x = g.flat(g.pool(pair(g.op("Relu", x), 0.0138, np.uint8)))
    return g.model(g.op("MatMul", x, weights(200, 10), shape=(10,)))


def _written(change: Callable[[ModelProto], None], **more: object) -> Callable[[], ModelProto]:
    """The base graph, written in another way."""

    def make() -> ModelProto:
        g = base(**more)  # type: ignore[arg-type]
        made = g.model(last(g))
        change(made)
        return made

    return make


CASES["dyn_batch"] = _written(lambda made: None, batch="N")
CASES["batch4"] = _written(lambda made: None, batch=4)


@CASES.add
def init_inputs() -> ModelProto:
    g = base()
    made = g.model(last(g))
    made.ir_version = 3
    for t in made.graph.initializer:
        made.graph.input.append(helper.make_tensor_value_info(t.name, t.data_type, t.dims))
    return made


def _domain(domain: str) -> Callable[[ModelProto], None]:
    def change(made: ModelProto) -> None:
        for node in made.graph.node:
            node.domain = domain if node.domain == QONNX else node.domain
        if domain:
            made.opset_import[1].domain = domain
        else:
            del made.opset_import[1]

    return change


CASES["old_domain"] = _written(_domain("finn.custom_op.general"))
CASES["no_domain"] = _written(_domain(""))


def _to_int_quant(made: ModelProto) -> None:
    for node in made.graph.node:
        node.op_type = "IntQuant" if node.op_type == "Quant" else node.op_type


CASES["intquant"] = _written(_to_int_quant)
