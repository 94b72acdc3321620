"""What is kept off the terminal."""

import ctypes
import logging

import pytest

from finn_build.system.quiet import quiet, silent


def test_compiled_code_is_not_heard_and_python_is_heard_again(capfd):
    libc = ctypes.CDLL(None)
    with pytest.raises(ValueError, match="as it is"), silent():
        libc.puts(b"debugging")
        raise ValueError("as it is")
    libc.puts(b"after")
    libc.fflush(None)
    assert capfd.readouterr().out == "after\n"


def test_the_level_of_finns_logger_is_as_it_was_before():
    logger = logging.getLogger("finn")
    before = logger.level
    with pytest.raises(ValueError, match="as it is"), quiet():
        assert logger.level == logging.ERROR
        raise ValueError("as it is")
    assert logger.level == before
