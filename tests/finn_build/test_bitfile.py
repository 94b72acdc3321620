"""Files with a bitstream: what pynq or Linux could not load is refused."""

import pytest
from open_chip import PART

from finn_build.backends import bitfile
from finn_build.errors import ToolError


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: whole[1:], "does not begin as a .bit file"),
        (lambda whole: whole[:-1], "bytes of data where the header has"),
        (lambda whole: whole.replace(b"\xaa\x99\x55\x66", b"\0" * 4), "no synchronisation word"),
        (lambda whole: whole[:40], "unpack_from requires a buffer"),
    ],
)
def test_a_damaged_bitstream_is_refused(tmp_path, damage, message):
    path = tmp_path / "a.bit"
    data = bitfile.SYNC + bytes(4_000)
    bitfile.Bitfile(design="d", part=PART, date="a", time="b", data=data).write(path)
    assert bitfile.read(path).data == data
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ToolError, match=message):
        bitfile.read(path)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (0, 4000, None),
        (124, 4000, None),
        (2, 4002, "no synchronisation word in the first 128 bytes of its data, at a multiple of 4"),
        (128, 4000, "no synchronisation word in the first 128 bytes of its data"),
        (0, 4001, "4,005 bytes of data are no whole 32-bit words"),
    ],
)
def test_the_synchronisation_word_is_where_linux_looks_for_it(tmp_path, before, after, message):
    path, data = tmp_path / "a.bit", b"\xff" * before + bitfile.SYNC + bytes(after)
    bitfile.Bitfile(design="d", part=PART, date="a", time="b", data=data).write(path)
    if message is None:
        assert bitfile.read(path).data == data
    else:
        with pytest.raises(ToolError, match=message):
            bitfile.read(path)
