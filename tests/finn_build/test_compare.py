"""Builds, boards, CPUs and published designs side by side, and bad input to it."""

import io
import json
import math
import re
from itertools import pairwise

import pages
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from finn_build.errors import ConfigError
from finn_build.pages.compare import command, points
from finn_build.pages.compare.chart import SHAPES, chart
from finn_build.pages.compare.points import KINDS, Point, bits, front, strongest
from finn_build.system.files import load_json, save_json


def results(**changes):
    return {
        "format": "headrace-results",
        "version": 1,
        "model": "tiny",
        "model_hash": 32 * "a",
        "board": "pynq-z2",
        "where": "measured",
        "device": "Pynq-Z2",
        "date": "2026-11-23T12:00:00Z",
        "fclk_mhz": 100.0,
        "software": {},
        "predicted": None,
        "accuracy": {"value": 0.8791, "images": 10000},
        "throughput": [
            {"batch": 1, "frames_per_second": 4100.0},
            {"batch": 1000, "frames_per_second": 31750.0},
        ],
        "latency": {"images": 100, "microseconds": {"p50": 140.0}},
        **changes,
    }


def compare(paths, out):
    text = io.StringIO()
    console = Console(file=text, width=200)
    command.run(
        paths, out=out, data=out.parent / "none", cpu=False, threads=1, seconds=0.1, console=console
    )
    return text.getvalue()


@pytest.fixture
def builds(tmp_path):
    """Three builds as ./build.sh leaves them, and what a board said about the first."""
    root = tmp_path / "build"
    fast = {"fps": {"predicted": 90000.0, "simulated": 80000.0}}
    poor = {"accuracy": {"hardware": {"value": 0.5, "images": 10000, "source": "x"}}}
    for name, changes in {"tiny": {}, "fast": poor | fast, "poor": poor}.items():
        (root / "pynq-z2" / name).mkdir(parents=True)
        save_json(root / "pynq-z2" / name / "report.json", pages.report(name, **changes))
    save_json(tmp_path / "results.json", results())
    return root


@pytest.mark.parametrize(
    ("weights", "activations", "text"),
    [([4, 2, 2, 4], [2, 2], "W4-2-4 A2"), ([1], [1], "W1 A1"), ([8, 8], [8, 4], "W8 A8-4")],
)
def test_bits_are_named_from_first_to_last(weights, activations, text):
    assert bits(weights, activations) == text


def test_every_figure_is_its_sources(builds, tmp_path):
    said = compare([builds / "pynq-z2", tmp_path / "results.json"], tmp_path / "out" / "page.html")
    rows = load_json(tmp_path / "out" / "page.json")["points"]
    ours = [row for row in rows if row["design"] == "tiny"]
    assert [row["kind"] for row in ours] == ["predicted", "simulated", "measured"]
    assert len({row["number"] for row in ours}) == 1
    assert [row["fps"] for row in ours] == [1e8 / 3072, 1e8 / 3080, 31750.0]
    assert [row["latency_us"] for row in ours] == [None, 77.16, 140.0]
    assert all(row["accuracy"] == 0.8791 and row["lut"] == 6400 for row in ours)
    assert "32,552" in said and "31,750" in said and "140 µs" in said


def test_the_fronts_are_ours_and_what_was_published(builds, tmp_path):
    compare([builds], tmp_path / "page.html")
    made = load_json(tmp_path / "page.json")
    names = {row["number"]: row["design"] for row in made["points"]}
    assert [names[n] for n in made["fronts"]["ours"]] == ["tiny", "fast"]
    published = [names[n] for n in made["fronts"]["published"]]
    assert published == ["FracBNN W1A1.4", "nn2FPGA ResNet-8 INT8", "FINN CNV-max"]


def test_what_was_not_simulated_is_only_predicted():
    made = points.of_report(pages.report(fps={"predicted": 9000.0, "simulated": None}), 1)
    assert [(p.kind, p.fps, p.latency_us) for p in made] == [("predicted", 9000.0, None)]


@pytest.mark.parametrize(("data", "comparable"), [(None, True), ("cifar10", True), ("mine", False)])
def test_accuracy_on_other_images_is_not_compared(data, comparable):
    made = pages.report()
    made["model"]["data"] = data
    assert {p.comparable for p in points.of_report(made, 1)} == {comparable}
    assert ("mine" in "".join(command._cells(points.of_report(made, 1)[0]).values())) != comparable


def point(number, fps, accuracy, *, kind="simulated", images=10000):
    return Point(
        number=number, design="d", kind=kind, detail="", source="", fps=fps, accuracy=accuracy,
        images=images,
    )  # fmt: skip


_POINT = st.builds(
    point, st.integers(1, 9), st.integers(1, 5).map(float), st.sampled_from([0.1, 0.2, 0.3])
)


@given(st.lists(_POINT))
def test_a_front_beats_all_others_and_none_of_its_own(many):
    made = front(many)
    assert all(any(f.fps >= p.fps and f.accuracy >= p.accuracy for f in made) for p in many)
    assert all(a.fps < b.fps and a.accuracy > b.accuracy for a, b in pairwise(made))


def test_the_strongest_evidence_of_a_design_counts():
    one = [point(1, 9.0, 0.9, kind="predicted"), point(1, 7.0, 0.9, kind="measured")]
    few = point(2, 99.0, 0.99, images=200)
    assert strongest([*one, few, point(3, 8.0, 0.8, kind="published")]) == [one[1]]


def test_published_designs_have_their_sources(monkeypatch, tmp_path):
    made = points.published(5)
    assert [p.number for p in made] == list(range(5, 5 + len(made)))
    assert all(p.source and p.comparable == (p.images == 10000) for p in made)
    monkeypatch.setattr(points, "ANCHORS", tmp_path / "anchors.toml")
    points.ANCHORS.write_text('[[design]]\nname = "x"\nchip = "y"\nspeed = 3\n')
    with pytest.raises(ConfigError, match="design 1: .*speed"):
        points.published(1)


@pytest.mark.parametrize(
    ("files", "paths", "message"),
    [
        ({}, ["lost"], "lost: no such file or folder; give builds or results.json"),
        ({"a/costs.json": {}}, ["a"], "a: no report.json and no results.json; finish a build"),
        ({"a/report.json": pages.report() | {"format": 3}}, ["a"], "has format 3, this program"),
        ({"a/report.json": {"format": 1}}, ["a"], "accelerator, model, board, accuracy"),
        ({"a/report.json": "{"}, ["a/report.json"], "report.json: not JSON"),
        ({"r.json": results(version=9)}, ["r.json"], "version 9 of the results, this one reads 1"),
        ({"r.json": {"format": "headrace-results", "version": 1}}, ["r.json"], "model, date"),
        (
            {"a/report.json": pages.report(), "b/report.json": pages.report()},
            ["a", "b"],
            "b/report.json: both are tiny on pynq-z2, yosys, 100 MHz; leave one out",
        ),
        ({"r.json": results(), "s.json": results()}, ["r.json", "s.json"], "leave one out"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(tmp_path, files, paths, message):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=re.escape(message)):
        compare([tmp_path / path for path in paths], tmp_path / "out" / "page.html")
    assert not (tmp_path / "out").exists()


def test_what_is_no_build_is_skipped_and_said(builds, tmp_path):
    save_json(builds / "costs.json", {"macs": 3})
    (builds / "tests").mkdir()
    said = compare(sorted(builds.iterdir()), tmp_path / "page.html")
    assert said.count("Skipped") == 2 and "costs.json holds no report" in said


def test_a_folder_is_searched_down_to_its_builds(builds, tmp_path):
    for name in ("report.json", "results.json"):  # of a step, and of what is deployed
        inner = builds / "pynq-z2" / "tiny" / "inner" / name
        inner.parent.mkdir(exist_ok=True)
        inner.write_text("none of the builds")
    (tmp_path / "results.json").rename(builds / "results.json")
    compare([builds], tmp_path / "out" / "page.html")
    rows = load_json(tmp_path / "out" / "page.json")["points"]
    ours = [(row["design"], row["kind"]) for row in rows if row["kind"] != "published"]
    simulated = [(name, kind) for name in ("fast", "poor", "tiny") for kind in KINDS[:2]]
    assert ours == [*simulated, ("tiny", "measured")]


def test_a_board_without_its_build_stands_alone(tmp_path):
    save_json(tmp_path / "results.json", results(accuracy=None, latency=None))
    compare([tmp_path], tmp_path / "out" / "page.html")
    first = load_json(tmp_path / "out" / "page.json")["points"][0]
    assert (first["kind"], first["fps"], first["accuracy"], first["lut"]) == (
        "measured", 31750.0, None, None,
    )  # fmt: skip


@pytest.mark.parametrize("width", [340, 960])
def test_places_in_the_picture_follow_the_figures(width):
    shown = [point(i, 10.0**i, 0.1 * i) for i in (1, 2, 3)]
    made = chart([*shown, point(4, None, 0.5)], {"ours": front(shown)}, width=width, height=400)
    (x1, x2, x3), (y1, y2, y3) = ([m[c] for m in made["marks"]] for c in ("x", "y"))
    assert math.isclose(x2 - x1, x3 - x2, abs_tol=0.2) and x1 < x2
    assert math.isclose(y1 - y2, y2 - y3, abs_tol=0.2) and y1 > y2
    assert [label["text"] for label in made["labels"]] == ["1", "2", "3"]
    assert chart([point(1, None, 0.5)], {}, width=width, height=400) is None


def test_labels_do_not_cover_each_other():
    crowd = [point(i, 1000.0 + 8 * i, 0.8 + 0.0004 * i) for i in range(1, 5)]
    far = [point(8, 10.0, 0.2), point(9, 100000.0, 0.9)]
    labels = chart([*crowd, *far], {}, width=960, height=520)["labels"]
    places = [(label["x"], label["y"]) for label in labels]
    assert len(places) == 6
    for i, (x, y) in enumerate(places):
        assert all(abs(x - u) >= 7 or abs(y - v) >= 12 for u, v in places[:i])


@pages.needs_chromium
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_fits_and_shows_the_figures(builds, tmp_path, width, dark):
    compare([builds, tmp_path / "results.json"], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    seen = pages.look(text, tmp_path, width=width, dark=dark)
    assert seen.console == [] and seen.overflow == 0 and seen.out == []
    assert seen.contrast >= 4.5, seen.where
    rows = load_json(tmp_path / "page.json")["points"]
    rates = [f"{row['fps']:,.0f}" for row in rows]
    assert seen.shown["frames/s"] == rates
    assert seen.shown["LUT"] == ["" if row["lut"] is None else f"{row['lut']:,}" for row in rows]
    assert not re.search(r"<script|https?:|@import|<link|src=", text)


@pages.needs_chromium
def test_the_page_fits_on_paper(builds, tmp_path):
    compare([builds, tmp_path / "results.json"], tmp_path / "page.html")
    paper = pages.printed((tmp_path / "page.html").read_text())
    seen = pages.look(paper, tmp_path, width=pages.PAPER, dark=True)
    assert seen.overflow == 0 and seen.out == [] and seen.background == "rgb(255, 255, 255)"


def test_kinds_differ_in_shape_and_not_in_colour_alone(builds, tmp_path):
    compare([builds, tmp_path / "results.json"], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    marks = re.findall(r'data-kind="(\w+)" transform="[^"]*" d="([^"]*)"', text)
    assert len(marks) == 2 * len(load_json(tmp_path / "page.json")["points"])
    assert {kind for kind, _ in marks} == set(KINDS) - {"cpu"}
    assert all(shape == SHAPES[kind] for kind, shape in marks)
    assert len(set(SHAPES.values())) == len(KINDS)
