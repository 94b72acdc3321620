"""report.json is read with its contract, and its page shows the same numbers to everybody."""

import json
import re

import pages
import pytest
from PIL import Image

from finn_build.errors import ConfigError
from finn_build.flow import labels
from finn_build.pages import accuracy, report
from finn_build.pages.compare import points
from finn_build.system.files import save_json

ROUTED = {"achieved_mhz": 104.25, "critical_path": "conv0.heap to conv0.threshold, " + "a/" * 60}
BITSTREAM = {"path": "bitstream/tiny.bit", "tool": "openxc7", "tool_version": "0.70"}
NOBODYS = {"hardware": {"value": None, "images": 100, "source": labels.UNKNOWN}}
PAGES = {
    "simulated": pages.report(),
    "routed": pages.report(clock=ROUTED, bitstream={**BITSTREAM, "sha256": 64 * "a"}),
    "FINN's": pages.report(accelerator="finn", fps={"predicted": 9000.0, "simulated": None}),
    "no labels": pages.report(model={"classes": None}, accuracy=NOBODYS),
    "names alone": pages.report(
        model={"classes": [f"sign {i} & <{i}>" for i in range(42)] + ["W" * 64]}, accuracy=NOBODYS
    ),
    "long names": pages.report(
        model={
            "classes": [f"{i} " + 15 * "long " + "name" for i in range(5)]
            + [f"{i}" + 63 * "W" for i in range(5)]
        }
    ),
    "many differences": pages.report(
        verification=[
            pages.rung(against="streamlined"),
            pages.rung(stage="streamlined", mismatches=1, labels=0, logits=0),
            pages.rung(images=10000, mismatches=320, labels=12, logits=300),
            pages.rung(against="an older report's", mismatches=9),
            pages.rung(stage="golden", against="rtl", images=10),
        ]
    ),
}
GREEN, AMBER = 0x1F7A4C, 0x8A6100


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
    assert seen == {
        "accuracy": [f"{100 * hardware['value']:.2f} %"],
        "fps": [f"{made['fps']['simulated']:,.0f}"],
        "latency": [f"{made['rtl_sim']['latency_cycles'] / 100:.1f} µs"],
        "lut": [f"{100 * used['lut'] / made['board']['chip']['lut']:.0f} %"],
        "differing": ["2"],
        "cycles": [f"{layer['cycles']:,}" for layer in made["folding"]],
        "used": [f"{used[key]:,g}" for key in ("lut", "ff", "bram36", "dsp")],
        "class": [f"{100 * row[i] / sum(row):.1f} %" for i, row in enumerate(confusion)],
        "confusion": [str(n) for row in confusion for n in row],
        "rung": [str(v["mismatches"]) for v in rungs],
        "seconds": [f"{value:,.1f} s" for value in made["seconds"].values()],
    }
    assert seen["accuracy"] == ["87.91 %"] and seen["fps"] == ["32,468"]


FEW = {
    "qat": {"value": 0.8831, "images": 10000, "source": "training's record, cpu"},
    "hardware": {"value": 0.9, "images": 100, "source": "golden integer model, run now"},
}


@pytest.mark.parametrize(
    ("changes", "stage"),
    [
        ({}, "qat"),
        ({"hardware": FEW["hardware"] | {"images": 10000}}, "hardware"),
        ({"hardware": FEW["hardware"] | {"value": None}}, "hardware"),
        ({"qat": FEW["qat"] | {"images": None}}, "hardware"),
        ({"qat": FEW["qat"] | {"images": 50}}, "hardware"),
    ],
)
def test_the_accuracy_of_the_most_images_leads(changes, stage):
    assert accuracy.leading(FEW | changes) == stage
    assert accuracy.leading({"hardware": FEW["hardware"]}) == "hardware"


def test_few_images_are_a_check_beside_the_record():
    made = pages.report(accuracy=FEW)
    assert points.of_report(made, 1)[-1].accuracy == 0.8831
    text = " ".join(report.html(made).split())
    assert '<b data-is="accuracy">88.31 %</b> <span>accuracy on 10,000 images' in text
    assert "by training's record; of the 100 checked here 90.00 %" in text


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


def ladder(*rungs):
    """The verification on a page, and the figure at its top."""
    text = report.html(pages.report(verification=list(rungs)))
    part = text[text.index('<ol class="ladder">') :]
    figure = re.search(r'<div class="figure([^"]*)"><b data-is="differing">', text)
    return " ".join(part[: part.index("</ol>")].split()), figure[1].strip()


def test_a_mismatch_without_a_reason_breaks_its_rung():
    rung = pages.rung(stage="golden", against="rtl", images=10)
    good, _ = ladder(rung)
    bad, figure = ladder(rung | {"mismatches": 1})
    assert "golden = rtl" in good and '<li class="equal">' in good
    assert "golden &ne; rtl" in bad and '<li class="wrong">' in bad and "1 unexplained" in bad
    assert figure == "wrong"


@pytest.mark.parametrize(
    ("rung", "kind", "texts"),
    [
        (pages.rung(labels=0, logits=0), "equal", ["qonnx = golden", "0</span> mismatches"]),
        (pages.rung(mismatches=1, labels=0, logits=0), "equal", ["1</span> mismatch by float"]),
        (
            pages.rung(mismatches=1, labels=0, logits=1),
            "differs",
            ["qonnx &asymp; golden", "0 with another label, 1 with other logits"],
        ),
        (pages.rung(mismatches=1), "differs", ["qonnx &asymp; golden", "by float rounding alone"]),
        (
            pages.rung(images=1000, mismatches=11, labels=0, logits=0),
            "differs",
            ['data-is="warning">1.1 % of 1,000 images differ by float rounding'],
        ),
    ],
    ids=["none", "activations", "logits", "not counted", "many activations"],
)
def test_what_differs_in_logits_is_never_green(rung, kind, texts):
    text, figure = ladder(rung)
    assert f'<li class="{kind}">' in text
    assert all(each in text for each in texts), text
    assert ("&#10003;" in text) == (kind == "equal")
    assert (figure == "differs") == (rung.get("logits", rung["mismatches"]) > 0)


def test_a_page_does_not_grow_with_the_explanations():
    text, _ = ladder(pages.rung(images=10000, mismatches=500, labels=1, logits=2))
    assert text.count("<p>image ") == report.EXPLANATIONS and "480 more in report.json" in text


@pages.needs_chromium
@pytest.mark.parametrize("rungs", [[{}], [{"mismatches": 3, "labels": 0, "logits": 3}]])
def test_the_colours_are_the_verdicts(tmp_path, rungs):
    made = pages.report(verification=[pages.rung(**{"labels": 0, "logits": 0, **r}) for r in rungs])
    page, picture = tmp_path / "page.html", tmp_path / "page.png"
    page.write_text(report.html(made).replace("<h2>Dataflow", "<!--").replace(
        "<h2>Verification", "--><h2>Verification"
    ))  # fmt: skip
    pages.screenshot(page, picture, width=1200)
    colours = Image.open(picture).convert("RGB").getcolors(1 << 20)
    seen = {r << 16 | g << 8 | b for n, (r, g, b) in colours if n > 150}
    differs = rungs != [{}]
    assert (AMBER in seen, GREEN in seen) == (differs, not differs)


def test_classes_without_names_go_by_number():
    made = pages.report()
    text = report.html(made | {"model": made["model"] | {"classes": None}})
    assert 'title="0">0</th>' in text and 'title="9">9</th>' in text and "airplane" not in text
    del made["model"]["classes"]
    assert report.html(made) == text, "a report from before there were names"


def test_a_model_of_another_task_has_no_accuracy():
    text = report.html(PAGES["no labels"])
    assert '<b data-is="accuracy">not known</b>' in text and "Accuracy: not known; no im" in text
    assert "%" not in text[text.index("<h2>Accuracy") : text.index("<h2>Verification")]
    named = report.html(PAGES["names alone"])
    assert "names of the 43 classes" in named and "41 sign 41 &amp; &lt;41&gt;" in named
    assert "<41>" not in named
