"""The picture of the comparison: accuracy against frames/s as coordinates for inline SVG."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from finn_build.pages.compare.points import Point

# Outlines around (0, 0); the shape tells the kind without its colour.
SHAPES = {
    "predicted": "M0-8.5L8.5 0 0 8.5-8.5 0Z",
    "simulated": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0Z",
    "measured": "M0-9 2.1-2.9 8.6-2.8 3.4 1.1 5.3 7.3 0 3.6-5.3 7.3-3.4 1.1-8.6-2.8-2.1-2.9Z",
    "cpu": "M-5-5H5V5H-5Z",
    "published": "M0-6 6 5H-6Z",
}
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 12, 40
_Box = tuple[float, float, float, float]
LABEL_W, LABEL_H = 7.2, 12.0  # of a digit, and of a line, in the picture's units


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """Frames/s (as its logarithm) and accuracy to units of the picture."""

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[int, int]

    def at(self, fps: float, accuracy: float) -> tuple[float, float]:
        across = (log10(fps) - self.x[0]) / (self.x[1] - self.x[0])
        up = (100 * accuracy - self.y[0]) / (self.y[1] - self.y[0])
        return (
            round(LEFT + across * (self.width - LEFT - RIGHT), 1),
            round(self.height - BOTTOM - up * (self.height - TOP - BOTTOM), 1),
        )


def chart(
    points: Sequence[Point],
    fronts: Mapping[str, Sequence[Point]],
    *,
    width: int,
    height: int,
    name: Callable[[Point], str] = lambda point: str(point.number),
) -> dict[str, Any] | None:
    """Axes, marks, labels and fronts of a picture; None where no point has both coordinates.

    width, height: in the picture's units; name: what is written beside a point's mark.
    """
    shown = [p for p in points if p.fps and p.accuracy is not None]
    if not shown:
        return None
    rates = [log10(p.fps or 1) for p in shown]
    shares = [100 * (p.accuracy or 0) for p in shown]
    span = max(shares) - min(shares)
    step = next(s for s in (1, 2, 5, 10, 20) if span / s <= 8 or s == 20)
    scale = _Scale(
        width=width,
        height=height,
        x=(min(rates) - 0.2, max(rates) + 0.25),
        y=(step * floor((min(shares) - 0.3) / step), step * ceil((max(shares) + 0.3) / step)),
    )
    marks = []
    for p in shown:
        x, y = scale.at(p.fps or 1, p.accuracy or 0)
        marks.append({"point": p, "x": x, "y": y, "shape": SHAPES[p.kind]})
    return {
        "width": width,
        "height": height,
        "box": (LEFT, TOP, width - RIGHT, height - BOTTOM),
        "rows": [
            (scale.at(1, v / 100)[1], v)
            for v in range(round(scale.y[0]), round(scale.y[1]) + 1, step)
        ],
        "columns": _columns(scale),
        "marks": marks,
        "labels": _labels(marks, width, name, _lines(scale, fronts)),
        "fronts": {name: _stairs(scale, line) for name, line in fronts.items() if line},
    }


def _columns(scale: _Scale) -> list[tuple[float, str]]:
    """Vertical lines at 1, 2 and 5 of every decade; text at 1, or at all where there are few."""
    found = [
        (10**e * m, m)
        for e in range(floor(scale.x[0]), ceil(scale.x[1]) + 1)
        for m in (1, 2, 5)
        if scale.x[0] <= log10(10**e * m) <= scale.x[1]
    ]
    every = (scale.width - LEFT) / len(found) > 45
    return [(scale.at(v, 0)[0], f"{v:,g}" if every or m == 1 else "") for v, m in found]


def _stairs(scale: _Scale, line: Sequence[Point]) -> str:
    """A front, fastest last, as a path of steps: slower rates reach a point's accuracy, too."""
    path, before = "", float(LEFT)
    for p in line:
        x, y = scale.at(p.fps or 1, p.accuracy or 0)
        path += f"{'L' if path else 'M'}{before} {y}H{x}"
        before = x
    return f"{path}V{scale.height - BOTTOM}"


def _lines(scale: _Scale, fronts: Mapping[str, Sequence[Point]]) -> list[_Box]:
    """Where the steps of the fronts lie."""
    found: list[_Box] = []
    for line in fronts.values():
        before, last = float(LEFT), None
        for p in line:
            x, y = scale.at(p.fps or 1, p.accuracy or 0)
            found.append((before, y - 1, x, y + 1))
            if last is not None:
                found.append((before - 1, last, before + 1, y))
            before, last = x, y
    return found


def _labels(
    marks: Sequence[dict[str, Any]],
    width: float,
    name: Callable[[Point], str],
    lines: Sequence[_Box],
) -> list[dict[str, Any]]:
    """Names of the designs beside their marks: on no mark, on no other, and best on no line."""
    taken = [(m["x"] - 6, m["y"] - 6, m["x"] + 6, m["y"] + 6) for m in marks]
    labels: list[dict[str, Any]] = []
    done: set[tuple[int, float, float]] = set()
    for mark in marks:
        key = (mark["point"].number, round(mark["x"], -1), round(mark["y"], -1))
        if key in done:
            continue
        done.add(key)
        text = name(mark["point"])
        half = LABEL_W * len(text) / 2
        best: tuple[float, float, float, _Box] | None = None
        for far in (1.0, 1.7, 2.4):
            for dx, dy in ((1, -0.9), (1, 0.9), (-1, -0.9), (-1, 0.9), (0, -1.3), (0, 1.3)):
                x = mark["x"] + dx * (far * 7 + half)
                y = mark["y"] + dy * far * 10
                box = (x - half, y - LABEL_H / 2, x + half, y + LABEL_H / 2)
                hits: float = sum(_overlap(box, other) for other in taken)
                hits += sum(_overlap(box, line) for line in lines) / 2
                hits += 9 * (box[0] < LEFT or box[2] > width - RIGHT)
                if best is None or hits < best[0]:
                    best = (hits, x, y, box)
        assert best is not None
        taken.append(best[3])
        labels.append({"text": text, "kind": mark["point"].kind, "x": best[1], "y": best[2] + 4})
    return labels


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
