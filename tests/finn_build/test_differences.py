"""When a comparison is a warning, and what it says, on the terminal and on the page alike."""

import pages
import pytest

from finn_build.network import differences


@pytest.mark.parametrize(
    ("images", "explained", "warned"),
    [(100, 0, False), (100, 1, False), (100, 2, True), (10000, 100, False), (10000, 101, True)],
)
def test_more_than_one_percent_is_a_warning(images, explained, warned):
    assert (differences.warning(images, explained, 0, 0) is not None) == warned


def test_labels_and_logits_are_told_apart_where_they_were_counted():
    assert differences.warning(10000, 320, 12, 300) == (
        "3.2 % of 10,000 images differ by float rounding: 12 with another label, 300 with other "
        "logits"
    )
    expected = "3.2 % of 10,000 images differ by float rounding"
    assert differences.warning(10000, 320, None, None) == expected


@pytest.mark.parametrize(
    ("rung", "verdict", "counted"),
    [
        ({}, "equal", ""),
        ({"mismatches": 1}, "differs", "by float rounding alone"),
        ({"mismatches": 1, "labels": None, "logits": None}, "differs", "by float rounding alone"),
        (
            {"mismatches": 1, "labels": 0, "logits": 0},
            "equal",
            "by float rounding alone; 0 with another label, 0 with other logits",
        ),
        (
            {"mismatches": 1, "labels": 1, "logits": 1},
            "differs",
            "by float rounding alone; 1 with another label, 1 with other logits",
        ),
        ({"mismatches": 2, "labels": 0, "logits": 0}, "differs", None),
        ({"mismatches": 1, "explained": 0, "labels": 0, "logits": 0}, "wrong", None),
    ],
)
def test_an_entry_is_equal_differs_or_is_wrong(rung, verdict, counted):
    entry = {**pages.rung(**{k: v for k, v in rung.items() if k != "explained"}), **rung}
    assert differences.verdict(entry) == verdict
    if counted is not None:
        assert differences.counted(entry) == counted


def test_the_terminal_has_one_line_for_all():
    few = pages.rung(mismatches=1, labels=1, logits=1)
    more = pages.rung(against="streamlined", mismatches=3, labels=1, logits=2)
    most = pages.rung(images=10, mismatches=2, labels=0, logits=1)
    assert differences.worst([few]) is None and differences.worst([]) is None
    assert differences.worst([few, more]) == (
        "warning: qonnx and streamlined: 3.0 % of 100 images differ by float rounding: 1 with "
        "another label, 2 with other logits"
    )
    said = differences.worst([more, most, few])
    assert said.startswith("warning: qonnx and golden: 20.0 % of 10 images")
    assert said.endswith(" (and 1 more)") and "\n" not in said
