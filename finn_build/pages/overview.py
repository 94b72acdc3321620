"""The README's picture: accuracy against frames/s, of its own table and of published designs."""

import re
from pathlib import Path

from finn_build.errors import ConfigError
from finn_build.pages import marks, page
from finn_build.pages.compare.chart import SHAPES, chart
from finn_build.pages.compare.points import Point, front, published, strongest

README, PICTURE = Path("README.md"), Path("docs/pictures/overview.svg")
SIZE = (900, 440)
_CHIP = "xc7z020"  # what is not said of a design beside its name
_ROW = re.compile(
    r"^\| (?P<model>[^,|]+), (?P<board>[^|]+?) \| (?P<mhz>[\d.]+), (?P<routed>[^|]*?) "
    r"\| (?P<share>[\d.]+) %, (?P<images>[\d,]+) \| (?P<fps>[\d,]+) \|",
    flags=re.M,
)


def ours(readme: str) -> list[Point]:
    """The rows of the table of results whose accuracy and simulated rate are known.

    Raises ConfigError where there is none.
    """
    found = [
        Point(
            number=number,
            design=f"headrace, {row['mhz']} MHz",
            kind="simulated",
            detail=row["board"],
            source=row["routed"],
            accuracy=float(row["share"]) / 100,
            images=int(row["images"].replace(",", "")),
            fps=float(row["fps"].replace(",", "")),
        )
        for number, row in enumerate(_ROW.finditer(readme), 1)
    ]
    if not found:
        raise ConfigError(f"{README}: no row of results with an accuracy and a simulated rate")
    return found


def svg(readme: str) -> str:
    """The picture of a README's table, as one SVG file. Raises ConfigError as `ours` does."""
    own = ours(readme)
    others = published(1 + len(own))
    points = [*own, *others]
    fronts = {"ours": front(strongest(own)), "published": front(others)}
    width, height = SIZE
    return page.render(
        page.FOLDER / "overview.svg.j2",
        c=chart(points, fronts, width=width, height=height, name=_name),
        shapes=SHAPES,
    )


def _name(point: Point) -> str:
    """What a design is called in the picture: its chip too, where that is another one."""
    chip = re.sub(r".*\((.+)\)", r"\1", point.detail)
    own = point.kind != "published" or point.detail == _CHIP
    return point.design if own else f"{point.design}, {chip}"


def write(readme: Path = README, picture: Path = PICTURE) -> str:
    """Draw the picture of a README's table and say so. Raises ConfigError as `ours` does."""
    drawn = svg(marks.read(readme))
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_text(drawn)
    return f"{picture}: the table of {readme}, beside what was published"
