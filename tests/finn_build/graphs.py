"""Small QONNX graphs, node by node, as exporters write them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
SAME = (1, 1, 1, 1)  # the padding that keeps the size of an image under a 3 x 3 window


class Cases(dict[str, Callable[[], ModelProto]]):
    """Builders of models by the models' names."""

    def add(self, make: Callable[[], ModelProto]) -> Callable[[], ModelProto]:
        """Keep a model under its builder's name."""
        self[make.__name__] = make
        return make


class Graph:
    """A graph that grows from its input; every method adds nodes and returns a tensor's name.

    shape: of the input without its batch; shapes of what follows are kept beside the names.
    """

    def __init__(self, *shape: int, seed: int = 0, opset: int = 13, batch: int | str = 1) -> None:
        self.random = np.random.default_rng(seed)
        self.opset, self.batch = opset, batch
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, np.ndarray[Any, Any]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {"in0": shape}

    def constant(self, value: ArrayLike, dtype: Any = np.float32) -> str:
        """A constant."""
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, dtype)
        return name

    def op(self, kind: str, *inputs: str, shape: Sequence[int] | None = None, **more: Any) -> str:
        """Any node with one output, of its first input's shape if nothing else is said."""
        out = f"t{len(self.nodes)}"
        name = more.pop("name", f"{kind}_{len(self.nodes)}")
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=name, **more))
        first = self.shapes.get(inputs[0], ()) if inputs else ()
        self.shapes[out] = first if shape is None else tuple(shape)
        return out

    def quant(
        self,
        x: str,
        scale: ArrayLike = 1.0,
        bits: float = 8,
        *,
        zero: float = 0,
        signed: int = 0,
        narrow: int = 0,
        rounding: str = "ROUND",
    ) -> str:
        """A quantiser."""
        numbers = [self.constant(n) for n in (scale, zero, bits)]
        said = {"signed": signed, "narrow": narrow, "rounding_mode": rounding}
        return self.op("Quant", x, *numbers, domain=QONNX, **said)

    def weights(self, *shape: int, scale: ArrayLike = 0.11, bits: int = 3, **more: Any) -> str:
        """Random weights and their quantiser; those of a dense layer favour no class."""
        most = (1 << (bits - 1)) - 1
        values = self.random.uniform(-most - 0.4, most + 0.4, shape)
        if len(shape) == 2:
            values -= values.mean(axis=int(np.argmax(shape)), keepdims=True)
        values *= np.asarray(scale)
        return self.quant(self.constant(values), scale, bits, **{"signed": 1, "narrow": 1, **more})

    def conv(
        self,
        x: str,
        filters: int,
        kernel: int | tuple[int, int] = 3,
        *,
        pads: Sequence[int] = (0, 0, 0, 0),
        strides: Sequence[int] = (1, 1),
        dilations: Sequence[int] = (1, 1),
        group: int = 1,
        weights: str | None = None,
        bias: ArrayLike | None = None,
    ) -> str:
        """A convolution of quantised weights."""
        kh, kw = (kernel, kernel) if isinstance(kernel, int) else kernel
        channels, height, width = self.shapes[x]
        w = weights or self.weights(filters, channels // group, kh, kw)
        more = [] if bias is None else [self.constant(bias)]
        tall, wide = ((k - 1) * d + 1 for k, d in zip((kh, kw), dilations, strict=True))
        out = (
            filters,
            (height + pads[0] + pads[2] - tall) // strides[0] + 1,
            (width + pads[1] + pads[3] - wide) // strides[1] + 1,
        )
        said = {"pads": pads, "strides": strides, "dilations": dilations, "group": group}
        return self.op("Conv", x, w, *more, shape=out, kernel_shape=[kh, kw], **said)

    def norm(self, x: str, spread: float = 1.0) -> str:
        """Batch normalisation of values that are about `spread` large."""
        n, rand = self.shapes[x][0], self.random
        columns = (
            rand.uniform(0.5, 1.5, n),
            rand.normal(0.2, 0.4, n),
            spread * rand.normal(0, 0.3, n),
            spread**2 * rand.uniform(0.5, 1.5, n),
        )
        return self.op("BatchNormalization", x, *map(self.constant, columns), epsilon=1e-5)

    def act(self, x: str, scale: ArrayLike = 0.37, bits: float = 3, **more: Any) -> str:
        """A ReLU and its quantiser."""
        return self.quant(self.op("Relu", x), scale, bits, **more)

    def pool(
        self,
        x: str,
        kernel: Sequence[int] = (2, 2),
        strides: Sequence[int] | None = None,
        *,
        kind: str = "MaxPool",
        pads: Sequence[int] = (0, 0, 0, 0),
        ceil: bool = False,
    ) -> str:
        """A pool; its windows lie side by side if nothing else is said."""
        strides = strides or kernel
        channels, *sides = self.shapes[x]
        rest = [sides[i] + pads[i] + pads[i + 2] - kernel[i] for i in (0, 1)]
        out = [(-(-r // s) if ceil else r // s) + 1 for r, s in zip(rest, strides, strict=True)]
        said = {"kernel_shape": kernel, "strides": strides, "pads": pads}
        more = {"ceil_mode": 1} if ceil else {}
        return self.op(kind, x, shape=(channels, *out), **said, **more)

    def flat(self, x: str) -> str:
        """All values in a row."""
        return self.op("Flatten", x, shape=(int(np.prod(self.shapes[x])),), axis=1)

    def dense(self, x: str, outputs: int = 10, *, scale: ArrayLike = 0.07, bits: int = 3) -> str:
        """A product of quantised weights with a row of values."""
        w = self.weights(self.shapes[x][-1], outputs, scale=scale, bits=bits)
        return self.op("MatMul", x, w, shape=(outputs,))

    def block(self, x: str, filters: int, spread: float = 1.0, **more: Any) -> str:
        """Convolution, batch normalisation, ReLU, quantiser."""
        return self.act(self.norm(self.conv(x, filters, **more), spread))

    def first(self, filters: int = 4, **more: Any) -> str:
        """Quantised pixels and a block on them."""
        return self.block(self.quant("in0"), filters, 170.0, **more)

    def end(self, x: str) -> ModelProto:
        """Ten classes from what was computed last."""
        return self.model(self.dense(self.flat(x)))

    def model(self, *outputs: str) -> ModelProto:
        """The graph as a file's; outputs are renamed to out0 if it is a single one."""
        names = list(outputs)
        if len(names) == 1:
            for node in self.nodes:
                for field in (node.input, node.output):
                    field[:] = ["out0" if name == names[0] else name for name in field]
            self.shapes["out0"], names = self.shapes[names[0]], ["out0"]

        def info(name: str, kind: int = TensorProto.FLOAT) -> Any:
            return helper.make_tensor_value_info(name, kind, [self.batch, *self.shapes[name]])

        graph = helper.make_graph(
            self.nodes,
            "case",
            [info("in0")],
            [info(name) for name in names],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        versions = [helper.make_opsetid("", self.opset), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=8)


def base(classes: int = 10, **more: Any) -> Graph:
    """A graph of two blocks with a pool between them, up to the dense layer, which is last."""
    g = Graph(3, 12, 12, **more)
    g.flat(g.block(g.pool(g.first()), 6))
    g.dense(g.nodes[-1].output[0], classes)
    return g


def last(g: Graph) -> str:
    """The tensor that was made last."""
    return str(g.nodes[-1].output[0])


def find(model: ModelProto, kind: str, index: int = 0) -> NodeProto:
    """The index-th node of a kind."""
    return [node for node in model.graph.node if node.op_type == kind][index]


def constant(model: ModelProto, name: str, change: Callable[[Any], Any] | None = None) -> Any:
    """An initialiser; `change` gives what replaces it from its value."""
    tensor = next(t for t in model.graph.initializer if t.name == name)
    if change is not None:
        made = numpy_helper.from_array(np.asarray(change(numpy_helper.to_array(tensor))), name)
        tensor.CopyFrom(made)
    return tensor
