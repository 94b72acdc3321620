"""report.json is read with its contract, and its page shows the same numbers to everybody."""

import json
import re

import pages
import pytest
from PIL import Image

from finn_build import report
from finn_build.errors import ConfigError
from finn_build.files import save_json

ROUTED = {"achieved_mhz": 104.25, "critical_path": "conv0.heap to conv0.threshold, " + "a/" * 60}
BITSTREAM = {"path": "bitstream/tiny.bit", "tool": "openxc7", "tool_version": "0.70"}
PAGES = {
    "simulated": pages.report(),
    "routed": pages.report(clock=ROUTED, bitstream={**BITSTREAM, "sha256": 64 * "a"}),
    "FINN's": pages.report(accelerator="finn", fps={"predicted": 9000.0, "simulated": None}),
    "no labels": pages.report(accuracy={"hardware": {"value": None, "images": 9, "source": "x"}}),
}


def test_a_report_is_found_by_its_file_and_by_its_folder(tmp_path):
    save_json(tmp_path / "report.json", pages.report())
    assert report.read(tmp_path) == report.read(tmp_path / "report.json") == pages.report()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "report.json: no report; give a finished build's folder"),
        ("{", "report.json: not JSON"),
        ("[]", "report.json: says no format, this program reads 1; build the model again"),
        (json.dumps(pages.report() | {"format": 2}), "has format 2, this program reads 1"),
        (json.dumps(pages.report() | {"fps": {"predicted": 1.0}}), "fps.simulated missing"),
        (json.dumps(pages.report() | {"accuracy": {}}), "accuracy.hardware, accuracy.hardware mis"),
        (json.dumps(pages.report() | {"clock": 3}), "json: clock missing"),
        (json.dumps({"format": 1}), "json: accelerator, model, board"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "report.json").write_text(text)
    with pytest.raises(ConfigError, match=re.escape(message)):
        report.read(tmp_path)


@pages.needs_chromium
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("name", PAGES)
def test_the_page_fits_and_can_be_read(tmp_path, name, width, dark):
    seen = pages.look(report.html(PAGES[name]), tmp_path, width=width, dark=dark)
    assert seen.console == [] and seen.overflow == 0 and seen.out == []
    assert seen.contrast >= 4.5, seen.where
    assert seen.background == ("rgb(18, 24, 31)" if dark else "rgb(255, 255, 255)")


@pages.needs_chromium
@pytest.mark.parametrize("name", PAGES)
def test_the_page_fits_on_paper(tmp_path, name):
    paper = pages.printed(report.html(PAGES[name]))
    seen = pages.look(paper, tmp_path, width=pages.PAPER, dark=True)
    assert seen.overflow == 0 and seen.out == [] and seen.background == "rgb(255, 255, 255)"


@pages.needs_chromium
def test_the_browser_sees_what_is_wrong(tmp_path):
    bad = (
        "<style>body{background:white}</style><p style='width:400px;color:#aaa'>wide and pale</p>"
        "<script>console.error('oops')</script>"
    )
    seen = pages.look(bad, tmp_path, width=360)
    assert seen.overflow > 0 and seen.out == ["P.null"] and seen.contrast < 3
    assert len(seen.console) == 1 and "oops" in seen.console[0]


@pages.needs_chromium
def test_the_page_shows_the_reports_numbers(tmp_path):
    made = PAGES["simulated"]
    seen = pages.look(report.html(made), tmp_path, width=1200).shown
    hardware, rungs, used = made["accuracy"]["hardware"], made["verification"], made["resources"]
    confusion = hardware["confusion"]
    unexplained = sum(v["mismatches"] - v["explained"] for v in rungs)
    assert seen == {
        "accuracy": [f"{100 * hardware['value']:.2f} %"],
        "fps": [f"{made['fps']['simulated']:,.0f}"],
        "latency": [f"{made['rtl_sim']['latency_cycles'] / 100:.1f} µs"],
        "lut": [f"{100 * used['lut'] / made['board']['chip']['lut']:.0f} %"],
        "mismatches": [str(unexplained)],
        "cycles": [f"{layer['cycles']:,}" for layer in made["folding"]],
        "used": [f"{used[key]:,g}" for key in ("lut", "ff", "bram36", "dsp")],
        "class": [f"{100 * row[i] / sum(row):.1f} %" for i, row in enumerate(confusion)],
        "confusion": [str(n) for row in confusion for n in row],
        "rung": [str(v["mismatches"]) for v in rungs],
        "seconds": [f"{value:,.1f} s" for value in made["seconds"].values()],
    }
    assert seen["accuracy"] == ["87.91 %"] and seen["fps"] == ["32,468"]


@pages.needs_chromium
def test_the_bottleneck_stands_out(tmp_path):
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    page.write_text(report.html(PAGES["simulated"]))
    pages.screenshot(page, picture, width=1200)
    colours = Image.open(picture).convert("RGB").getcolors(1 << 20)
    assert {0xB8470F, 0x1F78B4} <= {r << 16 | g << 8 | b for n, (r, g, b) in colours if n > 150}


def test_the_page_is_whole_by_itself():
    text = report.html(PAGES["routed"])
    assert not re.search(r"<script|https?:|@import|<link|src=", text)
    assert "bottleneck" in text and "104.2 MHz" in text and 64 * "a" in text


def test_another_accelerator_is_not_drawn_in_our_layers():
    ours, theirs = report.html(PAGES["simulated"]), report.html(PAGES["FINN's"])
    assert 'title="conv0: ' in ours and 'title="conv0: ' not in theirs
    assert "FINN's accelerator" in theirs.replace("&#39;", "'") and "FINN" not in ours


def test_a_mismatch_breaks_its_rung():
    rung = {"stage": "golden", "against": "rtl", "images": 10, "explained": 0, "explanations": []}
    good = report.html(PAGES["simulated"] | {"verification": [rung | {"mismatches": 0}]})
    bad = report.html(PAGES["simulated"] | {"verification": [rung | {"mismatches": 1}]})
    assert "golden = rtl" in good and '<li class="warn">' not in good
    assert "golden &ne; rtl" in bad and '<li class="warn">' in bad
