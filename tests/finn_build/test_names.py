"""Names from outside: what becomes of them, and where they may not show."""

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from finn_build.boards import find_board
from finn_build.config import Options, zoo
from finn_build.errors import ConfigError
from finn_build.flow import package
from finn_build.system.files import save_json
from headrace import terminal
from headrace.names import MOST, identifier, markdown, printable

HOSTILE = ["", ".", "..", "-rf", "a;b", "a b", "$(id)", "é", "\x1b[31m", "a\nb", "x" * 300, "a/b"]
HOSTILE += ["\u202egnp", "[red]", "<script>", "\udcff", "'", '"', "`", "%s", "{{ 1 }}", "NUL\0"]
SAFE = set(string.ascii_letters + string.digits + "_-.")


@given(st.one_of(st.sampled_from(HOSTILE), st.text(st.characters())))
def test_an_identifier_is_safe_everywhere_and_stays(text):
    made = identifier(text)
    assert 0 < len(made) <= MOST and set(made) <= SAFE and made[0] not in "-."
    assert identifier(made) == made and identifier(text) == made


def test_different_names_stay_different_and_safe_ones_as_they_are():
    assert len({identifier(text) for text in HOSTILE}) == len(HOSTILE)
    assert identifier("a;b") != identifier("a b") != identifier("a_b") == "a_b"
    assert [identifier(name) for name in zoo()] == zoo()


@given(st.one_of(st.sampled_from(HOSTILE), st.text(st.characters())))
def test_what_is_printable_shows_and_is_one_line(text):
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)
    assert len(printable(text, most=20)) <= 20
    assert printable("plain [b] text, é") == "plain [b] text, é"


def test_printable_writes_what_does_not_show():
    assert printable("a\x1b[2J\n\u202eb\udcff") == r"a\x1b[2J\n\u202eb\udcff"


def test_the_terminal_gets_text_and_no_commands(capsys):
    terminal.line(Console(force_terminal=True, width=200), "[red]a[/red]\x1b[2J 7\rb [/nothing]")
    assert capsys.readouterr().out == "[red]a[/red]\\x1b[2J 7\\rb [/nothing]\n"


@pytest.mark.parametrize("model", ["../../../x", "a/b", "..", "", "a;b", "x.tar/..", "-m"])
def test_a_name_that_is_none_of_the_zoos_is_refused_with_what_there_is(model):
    with pytest.raises(ConfigError, match=r"unknown model .*; known models: arch1_w2a2, "):
        Options(board="pynq-z2", model=model, data=Path("none"))


@pytest.mark.parametrize("name", HOSTILE[1:-1])
def test_a_build_stays_in_its_folder(name):
    options = Options(board="pynq-z2", model=f"/models/x{name}.onnx", data=Path("none"))
    assert options.folder.parent == Path("build/pynq-z2")
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", options.name)


def test_a_reason_is_text_in_the_readme(tmp_path):
    manifest = {"model": "m", "accelerator": "headrace", "bitstream": None, "fclk_mhz": 100.0}
    (tmp_path / "d").mkdir()
    save_json(tmp_path / "d" / "manifest.json", manifest)
    reason = "no \x1b[1m <script> in [here](javascript:x) `a`\n# b"
    package.finish(
        tmp_path / "d", tmp_path / "d.tar.gz", board=find_board("pynq-z2"), reason=reason
    )
    text = (tmp_path / "d" / "README.md").read_text()
    shown = r"no \\x1b\[1m \<script\> in \[here\](javascript:x) \`a\`\\n# b"
    assert shown in text and markdown(reason) == shown


@pytest.mark.parametrize("name", ["target_fps", "pixel_max", "clock_mhz"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 0.0])
def test_numbers_that_are_none_are_refused_by_name(name, value):
    option = f"--{name.replace('_', '-')} {value:g}"
    with pytest.raises(ConfigError, match=re.escape(option)):
        Options(board="pynq-z2", model="m.onnx", data=Path("none"), **{name: value})


def test_a_picture_of_hostile_classes_is_drawn_as_text(capsys):
    import numpy as np

    from finn_build.simulator import demo

    shown = demo.ShownLabels(
        model="m",
        images=np.zeros((1, 4, 4, 1), np.uint8),
        truth=None,
        labels=np.array([0], np.int32),
        values=np.array([[1.0, 0.0]]),
        names=("[red]\x1b[2J", "b"),
        latency_us=1.0,
        rate=1.0,
        seconds=1.0,
    )
    demo.show(shown, Console())
    assert "[red]\\x1b[2J" in capsys.readouterr().out
