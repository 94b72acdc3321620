"""What a network ends in: a label with the logits beside it, or values."""

from __future__ import annotations

from onnx import ModelProto, helper

from finn_build.errors import ModelError
from finn_build.frontend.check import shown
from finn_build.frontend.layout import Layout
from finn_build.frontend.tidy import AXES, OUTPUT
from finn_build.frontend.unique import copied

LABEL, VALUES = KINDS = ("label", "values")
MOST_CLASSES = 1024


def ask(graph: ModelProto, kind: str) -> ModelProto:
    """A tidy graph whose metadata say what the network ends in."""
    made = copied(graph)
    helper.set_model_props(made, {**_notes(graph), OUTPUT: kind})
    return made


def kind_of(graph: ModelProto, layout: Layout) -> str:
    """What the network of a tidy graph ends in; layout: of the graph's output.

    That is what its metadata say. Otherwise it is a label where the file itself makes labels or
    probabilities, and where the output is one vector of 2 to MOST_CLASSES numbers. Raises
    ModelError for metadata that say something else.
    """
    notes = _notes(graph)
    if OUTPUT in notes:
        if notes[OUTPUT] not in KINDS:
            raise ModelError(
                f"metadata {OUTPUT!r}: {shown(notes[OUTPUT])}; use {' or '.join(KINDS)}"
            )
        return notes[OUTPUT]
    sides = [side for side in layout.shape if side > 1]
    vector = len(sides) == 1 and sides[0] <= MOST_CLASSES
    return LABEL if notes.get(AXES) or vector else VALUES


def _notes(graph: ModelProto) -> dict[str, str]:
    return {each.key: each.value for each in graph.metadata_props}
