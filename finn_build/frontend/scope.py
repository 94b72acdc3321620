"""The state of the walk along a graph: the value of each tensor, and the layers so far."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from finn_build.frontend.build import Builder
from finn_build.frontend.check import refuse, shown
from finn_build.frontend.elementwise import Quantiser
from finn_build.frontend.pooling import MOST_SUM_BITS, mean_first, summed
from finn_build.frontend.product import averaged, spread_channels, sums, whole
from finn_build.frontend.quantised import MOST_BITS, Refuse
from finn_build.frontend.stream import NO_SIDES, Codes, Constant, Pool, Stream, Sums

Value = Constant | Stream
PADDED = "reads a padded image; only a convolution can follow a Pad"


@dataclass(kw_only=True)
class Scope:
    """Tensors by name, and the builder of layers."""

    values: dict[str, Value] = field(default_factory=dict)
    builder: Builder = field(default_factory=Builder)

    def refuse(self, node: NodeProto) -> Refuse:
        """A function that makes an error about a node from its text."""
        return partial(refuse, node)

    def stream(self, node: NodeProto, index: int = 0) -> Stream:
        """An input that depends on the image. Raises ModelError for a constant."""
        value = self.values[node.input[index]]
        if not isinstance(value, Stream):
            raise refuse(
                node, f"its input {shown(node.input[index])} is a constant; want the image's"
            )
        return value

    def bare(self, node: NodeProto) -> Stream:
        """The first input, an image without zeros around it. Raises ModelError for a padded one."""
        stream = self.stream(node)
        if stream.pad != NO_SIDES:
            raise refuse(node, PADDED)
        return stream

    def constant(self, node: NodeProto, index: int) -> Constant | None:
        """A constant input, or None if it is missing. Raises ModelError for a computed one."""
        if index >= len(node.input) or not node.input[index]:
            return None
        value = self.values[node.input[index]]
        if isinstance(value, Stream):
            raise refuse(
                node,
                f"{node.op_type} of two computed tensors is not supported; weights are constants",
            )
        return value

    def numbers(self, node: NodeProto, index: int) -> NDArray[Any] | None:
        """The numbers of a constant input, in its shape, or None if it is missing."""
        found = self.constant(node, index)
        return None if found is None else np.asarray(found.values)

    def settled(self, stream: Stream, node: NodeProto) -> Stream:
        """The stream with its pending means turned into sums of windows, or into a product."""
        if stream.average is None:
            return stream
        assert isinstance(stream.base, Codes)
        codes = summed(self.builder, stream, most=MOST_BITS)
        if codes is not None:
            return Stream(layout=stream.layout, base=codes, names=stream.names)
        product = spread_channels(stream.base, stream.average, self.refuse(node))
        base = sums(product, self.refuse(node))
        return Stream(layout=stream.layout, base=base, names=stream.names)

    def codes(self, stream: Stream, node: NodeProto) -> Codes:
        """The stream as codes that a product can read."""
        if stream.average is None:
            codes = self.builder.codes(stream, self.refuse(node))
        else:
            found = summed(self.builder, stream)
            if found is None:
                raise refuse(
                    node,
                    "reads a mean whose windows overlap, leave gaps or are padded, or whose sums "
                    f"have more than {MOST_SUM_BITS} bits; quantise the mean",
                )
            codes = found
        if stream.pad == NO_SIDES and node.input and self.values.get(node.input[0]) is stream:
            self.builder.tap_codes(node.input[0], stream.layout, codes)
        return codes

    def shared(self, stream: Stream, node: NodeProto) -> Stream:
        """A stream that several nodes read. If it is quantised, its codes are made once for all."""
        quantised = any(isinstance(op, Quantiser) for op in stream.ops)
        if not quantised or stream.average is not None or stream.pad != NO_SIDES:
            return stream
        codes = self.builder.codes(stream, self.refuse(node))
        return Stream(layout=stream.layout, base=codes, names=stream.names)

    def mean(self, stream: Stream, node: NodeProto, pool: Pool) -> Stream:
        """The means over windows of a stream, with the layout of the stream as it was before."""
        stream = self.settled(stream, node)
        if (base := stream.scaled_sums) is not None:
            return replace(stream, base=self._mean_of_sums(base, stream, node, pool))
        codes = self.codes(stream, node)
        return Stream(layout=stream.layout, base=codes, average=pool, names=stream.names)

    def _mean_of_sums(self, base: Sums, stream: Stream, node: NodeProto, pool: Pool) -> Sums:
        """The means over windows of a product: of its input where it can be, else of its weights.

        The latter is one product with the whole image.
        """
        if pool.pad != NO_SIDES:
            raise refuse(node, "takes padded means of a product; quantise the product before")
        found = mean_first(self.builder, base, stream.layout, pool)
        if found is not None:
            return sums(found, self.refuse(node))
        product, size = averaged(base, pool.kernel, pool.stride, self.refuse(node))
        return whole(product, size, self.refuse(node))
