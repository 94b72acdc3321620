"""What the tables of files are read into, and what is said of those that cannot be."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from headrace import tables
from headrace.errors import ConfigError
from headrace.tables import Range


@dataclass(frozen=True, kw_only=True)
class Circle:
    radius: Annotated[float, Range(above=0)]


@dataclass(frozen=True, kw_only=True)
class Square:
    side: int = 1

    def __post_init__(self):
        if self.side == 13:
            raise ConfigError("side = 13; use another")


@dataclass(frozen=True, kw_only=True)
class Picture:
    title: str
    size: tuple[int, int] = (1, 1)
    shapes: tuple[Circle | Square, ...] = ()
    frame: Square = field(default_factory=Square)
    ink: Literal["black", "red"] = "black"
    share: Annotated[float, Range(least=0, most=1)] | None = None
    path: Path | None = field(default=None, metadata={"key": "from"})
    rest: dict[str, Any] = field(default_factory=dict)


WHOLE = """
title = "t"
size = [2, 3]
ink = "red"
share = 1
from = "a/b"
frame = { side = 4 }
shapes = [{ kind = "circle", radius = 2 }, { kind = "square" }]
rest = { a = [1] }
"""


def test_a_whole_file(tmp_path):
    file = tmp_path / "picture.toml"
    file.write_text(WHOLE)
    made = tables.read(Picture, file, "")
    assert made == Picture(
        title="t",
        size=(2, 3),
        shapes=(Circle(radius=2.0), Square()),
        frame=Square(side=4),
        ink="red",
        share=1.0,
        path=Path("a/b"),
        rest={"a": [1]},
    )
    assert type(made.share) is float


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "here: not a table; give names with their values"),
        ({}, "here: title is missing; use a text"),
        ({"title": ""}, "here: title = ''; use a text"),
        (
            {"colour": 1},
            "here: unknown key colour; known: title, size, shapes, frame, ink, share, ",
        ),
        ({"path": "x", "colour": 1}, "here: unknown keys colour, path; known: title, size, "),
        ({"path": "x"}, "here: unknown key path; known: title, .*, from, rest$"),
        ({"size": [1]}, r"here: size = \[1\]; use a list of 2 whole numbers"),
        ({"size": [1, True]}, r"here: size\[1\] = True; use a whole number"),
        ({"size": 1}, "here: size = 1; use a list of 2 whole numbers"),
        ({"shapes": {"kind": "circle"}}, "here: shapes = .*; use a list of tables"),
        ({"shapes": [{"radius": 1}]}, r"shapes\[0\].kind = None; use circle or square"),
        ({"shapes": [{"kind": []}]}, r"shapes\[0\].kind = \[\]; use circle or square"),
        ({"shapes": [1]}, r"shapes\[0\] = 1; use a table"),
        ({"shapes": [{"kind": "circle"}]}, r"shapes\[0\]: radius is missing; use a number above 0"),
        ({"frame": {"side": 1.0}}, "here: frame.side = 1.0; use a whole number"),
        ({"frame": {"side": 13}}, "here: frame: side = 13; use another"),
        ({"frame": {"edge": 1}}, "here: frame: unknown key edge; known: side"),
        ({"ink": "blue"}, "here: ink = 'blue'; use black or red"),
        ({"share": 1.5}, "here: share = 1.5; use a number from 0 to 1"),
        ({"share": float("nan")}, "here: share = nan; use a number from 0 to 1"),
        ({"from": 1}, "here: from = 1; use a path"),
        ({"rest": []}, r"here: rest = \[\]; use a table"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_works(value, message):
    named = {"title": "t", **value} if isinstance(value, dict) and value else value
    with pytest.raises(ConfigError, match=message):
        tables.build(Picture, named, "here")


def test_what_code_makes_is_checked_the_same_way():
    tables.check(Picture(title="t", shapes=(Square(),), share=1, path=Path("a")), "here")
    for wrong, message in (
        ({"share": 2}, "here: share = 2.0; use a number from 0 to 1"),
        ({"shapes": (1,)}, r"here: shapes\[0\] = 1; use a table"),
        ({"ink": "blue"}, "here: ink = 'blue'; use black or red"),
    ):
        with pytest.raises(ConfigError, match=message):
            tables.check(Picture(title="t", **wrong), "here")


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "said"),
    [
        (Range(least=1), 1, 0.9, " of 1 or more"),
        (Range(least=1, most=2), 2, 2.1, " from 1 to 2"),
        (Range(above=0, below=1), 0.5, 1, " above 0, below 1"),
        (Range(above=0, most=1), 1, 0, " above 0, of 1 or less"),
    ],
)
def test_a_range_holds_what_it_says(allowed, inside, outside, said):
    assert allowed.holds(inside) and not allowed.holds(outside)
    assert str(allowed) == said


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(ConfigError, match=r"lost.toml: not found; use mine.toml"):
        tables.toml(tmp_path / "lost.toml", "use mine.toml")
    with pytest.raises(ConfigError, match="not readable as TOML"):
        tables.toml(tmp_path, "")
