"""Whatever a file holds, it is read or refused soon, by a message that can be printed."""

from contextlib import suppress

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated
from patience import at_most

from finn_build import frontend
from finn_build.errors import ModelError

# Calls of functions and their ends while a file is read: seconds, however busy the machine is. The
# most of 400 changed files was 1.2 million.
CALLS = 20_000_000


def attempt(data: bytes, folder) -> str:
    """Read a file as a build does: 'read', or the message."""
    path = folder / "m.onnx"
    path.write_bytes(data)
    try:
        graph = frontend.load(path)
        with suppress(ModelError):  # most of them want bytes
            frontend.read(frontend.scaled(graph, 1.0), "m")
        frontend.read(graph, "m")
        frontend.with_shapes(graph)
    except ModelError as error:
        return str(error)
    return "read"


@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_a_changed_file_is_read_or_refused(seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    data = mutated(seed)
    with at_most(CALLS):
        text = attempt(data, folder)
    assert text.isprintable() and len(text) < 2000, text


@given(data=st.binary(max_size=300))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_any_bytes_are_refused(data, tmp_path_factory):
    assert attempt(data, tmp_path_factory.mktemp("bytes")) != "read"


def test_a_file_that_is_cut_is_refused(tmp_path):
    whole = mutated(3)
    for size in np.linspace(0, len(whole) - 1, 40).astype(int):
        assert attempt(whole[:size], tmp_path).isprintable()
