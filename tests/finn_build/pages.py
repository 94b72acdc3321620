"""A hand-made report, and headless Chromium to look at the pages that people see."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from quant.dataset import CIFAR10

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")

# Runs beside the page, not in it: what sticks out, the worst contrast of text, what numbers say.
_PROBE = """
const frame = document.querySelector("iframe"), page = frame.contentDocument;
const view = frame.contentWindow, root = page.documentElement;
const number = c => c.match(/[\\d.]+/g).map(Number);
function colour(element) {
  const layers = [];
  for (let e = element; e; e = e.parentElement) {
    const c = number(view.getComputedStyle(e).backgroundColor);
    layers.push([...c.slice(0, 3), c[3] ?? 1]);
    if ((c[3] ?? 1) === 1) break;
  }
  return layers.reverse().reduce((under, c) =>
    [0, 1, 2].map(i => c[i] * c[3] + under[i] * (1 - c[3])), [255, 255, 255]);
}
function light(c) {
  const [r, g, b] = c.map(v => v / 255).map(v =>
    v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
}
const seen = {overflow: root.scrollWidth - root.clientWidth, out: [], contrast: 99, where: ""};
for (const e of page.body.querySelectorAll("*")) {
  const box = e.getBoundingClientRect();
  if (box.width && box.right > root.clientWidth + 1 && !e.closest(".scroll"))
    seen.out.push(e.tagName + "." + e.getAttribute("class"));
  const words = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  if (!words || !box.width || e.closest("svg")) continue;
  const a = light(number(view.getComputedStyle(e).color).slice(0, 3)), b = light(colour(e));
  const ratio = Math.max(a, b) / Math.min(a, b);
  if (ratio < seen.contrast) { seen.contrast = ratio; seen.where = e.outerHTML.slice(0, 80); }
}
for (const e of page.querySelectorAll(".scroll"))
  if (e.scrollWidth > e.clientWidth + 1) seen.out.push("scrolls sideways");
seen.background = view.getComputedStyle(page.body).backgroundColor;
seen.is = {};
for (const e of page.querySelectorAll("[data-is]"))
  (seen.is[e.dataset.is] ??= []).push(e.textContent.trim().replace(/\\s+/g, " "));
document.querySelector("#seen").textContent = JSON.stringify(seen);
"""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a browser shows of a page.

    overflow: pixels that the page is wider than the window; out: elements that stick out, or that
    have to be scrolled sideways; contrast: the worst of any text, at `where`; shown: texts of
    [data-is] elements; console: its messages.
    """

    overflow: int
    out: list[str]
    contrast: float
    where: str
    background: str
    shown: dict[str, list[str]]
    console: list[str]


PAPER = 703  # A4 less the margins, in CSS pixels


def printed(page: str) -> str:
    """A page whose style for print holds on the screen, so that it can be looked at."""
    assert "@media print" in page
    return page.replace("@media print", "@media all").replace("@media screen", "@media not all")


def look(page: str, folder: Path, *, width: int, dark: bool = False) -> Look:
    """Load a page in a frame of a width; Chromium's own window cannot be narrow."""
    wrapper = folder / "wrapper.html"
    wrapper.write_text(
        f'<body style="margin:0"><iframe style="border:0;width:{width}px;height:900px" '
        f'srcdoc="{html.escape(page)}"></iframe><pre id="seen"></pre>'
        f"<script>window.onload = () => {{{_PROBE}}};</script>"
    )
    done = _chromium("--dump-dom", wrapper, width=max(width, 600), dark=dark)
    text = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert text is not None and text[1], done.stderr
    seen = json.loads(html.unescape(text[1]))
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Look(shown=seen.pop("is"), console=console, **seen)


def screenshot(page: Path, picture: Path, *, width: int, dark: bool = False) -> None:
    """Save what a window shows of a page as PNG."""
    _chromium(f"--screenshot={picture}", page, width=width, dark=dark)


def _chromium(what: str, page: Path, *, width: int, dark: bool) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
    command += ["--enable-logging=stderr", f"--user-data-dir={page.parent / 'profile'}"]
    command += [f"--window-size={width},900", f"--blink-settings=preferredColorScheme={1 - dark}"]
    command += [what, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)


def rung(
    *,
    stage: str = "qonnx",
    against: str = "golden",
    images: int = 100,
    mismatches: int = 0,
    **counts: Any,
) -> dict[str, Any]:
    """A comparison of which all is explained; counts: `labels` and `logits`, where known."""
    notes = [f"image {i}: conv0, 3.0 at 2.9999999" for i in range(mismatches)]
    made = {"stage": stage, "against": against, "images": images, "mismatches": mismatches}
    return {**made, "explained": mismatches, "explanations": notes, **counts}


def _folding() -> list[dict[str, Any]]:
    """The rows of its layers."""
    counted = {"lut": 1200, "ff": 900, "bram36": 2.5, "dsp": 0}
    none = {"pe": None, "simd": None, "memory": None, "slice_bits": None, "macs": 0}
    common = {"pixels": 1, "lut": 1100, "bram18": 5, "dsp": 0}
    layers: list[dict[str, Any]] = [
        {"layer": "conv0_window", "kind": "window", "cycles": 1024, **none},
        {"layer": "conv0", "kind": "mvtu", "cycles": 3072, **none, "slice_bits": 3, "macs": 9},
        {"layer": "pool0", "kind": "maxpool", "cycles": 1024, **none},
        {"layer": "dense0", "kind": "mvtu", "cycles": 2560, **none, "pe": 2, "simd": 8, "macs": 9},
        {"layer": "argmax", "kind": "argmax", "cycles": 11, **none},
    ]
    layers[3]["memory"] = "block"
    out = {"shape": [16, 16, 128], "bits": 2}
    return [{**each, **common, "counted": counted, "out": out} for each in layers]


def _chip() -> dict[str, Any]:
    """What its chip takes, and its clock."""
    return {
        "resources": {
            "lut": 6400,
            "ff": 5000,
            "bram36": 12.5,
            "dsp": 0,
            "lut_levels": 4,
            "carry_chains": 1,
            "source": "yosys",
            "estimate": {"lut": 5500, "ff": 0, "bram36": 12.5, "dsp": 0},
            "budget": {"lut": 40500, "ff": 85000, "bram36": 110, "dsp": 176, "share": "vivado"},
        },
        "clock": {
            "target_mhz": 100.0,
            "achieved_mhz": None,
            "fclk_mhz": 100.0,
            "source": "target; not placed and routed",
            "critical_path": None,
            "seeds": {},
        },
    }


def report(name: str = "tiny", **sections: Any) -> dict[str, Any]:
    """A report of a small network; sections replace fields of its own."""
    confusion = [[900 if i == j else 10 + i for j in range(10)] for i in range(10)]
    made: dict[str, Any] = {
        "format": 1,
        "model": {
            "name": name,
            "weight_bits": [4, 2],
            "act_bits": [2],
            "parameters": 1011538,
            "macs": 21500928,
            "filters": [16],
            "classes": list(CIFAR10.classes),
        },
        "accelerator": "headrace",
        "board": {
            "name": "pynq-z2",
            "title": "TUL PYNQ-Z2",
            "part": "xc7z020clg400-1",
            "chip": {"lut": 53200, "ff": 106400, "bram36": 140, "dsp": 220},
        },
        "accuracy": {
            "float": {"value": 0.9042, "images": 10000, "source": "training's record"},
            "hardware": {
                "value": 0.8791,
                "images": 10000,
                "source": "golden integer model, run now on the whole test set",
                "confusion": confusion,
                "images_per_second": 122.9,
            },
        },
        "verification": [
            rung(images=10000, mismatches=2, labels=1, logits=2),
            rung(stage="golden", against="rtl", images=10),
        ],
        "folding": _folding(),
        "bottleneck": "conv0",
        "rtl_sim": {
            "images": 10,
            "images_with_stalls": 4,
            "mismatches": 0,
            "cycles_per_frame": 3080.0,
            "latency_cycles": 7716,
            "fifos": [{"name": "dense0_fifo", "depth": 16, "most": 9}],
            "frames_per_second_of_simulation": 5.16,
        },
        **_chip(),
        "fps": {"predicted": 1e8 / 3072, "simulated": 1e8 / 3080},
        "bitstream": {"path": None, "reason": "no tool on PATH"},
        "tools": {"synthesis": "Yosys 0.70", "route": None},
        "machine": {"cpu": "a processor", "threads": 2},
        "code": {},
        "seconds": {"export": 117.0, "synthesise": 910.4, "route": 668.0, "bitstream": 205.0},
    }
    for section, fields in sections.items():
        made[section] = {**made[section], **fields} if isinstance(fields, dict) else fields
    return made
