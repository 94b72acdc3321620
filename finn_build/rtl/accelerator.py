"""The accelerator for a network and its folding: modules, streams, memory images."""

from collections.abc import Sequence
from math import prod

from finn_build.folding.fold import Fold
from finn_build.folding.folding import Folding
from finn_build.folding.schedule import depths
from finn_build.network.graph import IMAGE, Network
from finn_build.network.layers import Mvtu
from finn_build.rtl.design import Design, Instance, Stream

# Bits of the counter of frames that have begun (rtl_templates: axis_begun, nn_window).
_BEGUN_BITS = 8


def design(network: Network, folding: Folding) -> Design:
    """The design of a network with a folding."""
    beat = network.input_bytes
    accelerator = Design(
        name=network.name,
        source=Stream(elems=beat, bits=8),
        depths=depths(network, folding),
    )
    for end in network.ends:
        accelerator.summary, accelerator.words = end.summary, end.stream
    if any(layer.needs_begun(folding.fold(layer)) for layer in network.layers):
        accelerator.wires["begun"] = _BEGUN_BITS
        frame = network.frame_bytes // beat
        parameters: dict[str, int | str] = {"DATA_W": accelerator.stream.width, "FRAME": frame}
        accelerator.add("axis_begun", "begun", accelerator.stream, parameters, begun="begun")
    shapes = network.shapes()
    streams = {IMAGE: accelerator.fork(IMAGE, network.readers(IMAGE))}
    for layer, sources in network.walk():
        accelerator.inputs = tuple(streams[source].pop(0) for source in sources)
        accelerator.end = accelerator.inputs[0]
        count = len(accelerator.instances)
        layer.build(accelerator, folding.place(layer))
        _check_frames(accelerator.instances[count:], [prod(shapes[name].sizes) for name in sources])
        streams[layer.name] = accelerator.fork(layer.name, network.readers(layer.name))
    return accelerator


def _check_frames(instances: Sequence[Instance], sizes: Sequence[int]) -> None:
    """Frames of the streams that a layer reads must be whole beats of its width converters.

    A converter would keep what is left over until the next frame comes.
    """
    for instance in instances:
        if instance.module == "axis_width":
            elems = int(instance.parameters["OUT_ELEMS"])
            assert any(size % elems == 0 for size in sizes), f"{instance.name}: {elems} of {sizes}"


def alone(layer: Mvtu, fold: Fold) -> Design:
    """The design of one windowed layer alone, without the window before it."""
    source = Stream(elems=fold.pixels * layer.inputs, bits=layer.in_bits)
    accelerator = Design(name=layer.name, source=source, depths={})
    layer.hardware(fold).build(accelerator)
    return accelerator
