"""Render report.json as one self-contained page, and read it back with its contract checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finn_build.backends import registry
from finn_build.errors import ConfigError
from finn_build.network import differences
from finn_build.pages import page
from finn_build.pages.accuracy import leading
from finn_build.system.files import load_json

TEMPLATE = Path(__file__).with_name("report.html.j2")
FORMAT = 1  # of report.json; a new field does not change it
# What programs may rely on: fields of every report, by section.
CONTRACT: dict[str, tuple[str, ...]] = {
    "": ("accelerator",),
    "model": ("name", "weight_bits", "act_bits", "parameters", "macs"),
    "board": ("name", "title", "part", "chip"),
    "accuracy": ("hardware",),
    "accuracy.hardware": ("value", "images", "source"),
    "rtl_sim": ("cycles_per_frame", "latency_cycles"),
    "resources": ("lut", "ff", "bram36", "dsp", "source"),
    "clock": ("target_mhz", "achieved_mhz", "fclk_mhz", "source"),
    "fps": ("predicted", "simulated"),
    "bitstream": ("path",),
}
EXPLANATIONS = 20  # of a comparison on the page; report.json has them all
_SYNTHESIS = {"yosys": "Yosys"}  # the tool that counted where nothing was placed
_CHIP = (("lut", "LUT"), ("ff", "FF"), ("bram36", "BRAM36"), ("dsp", "DSP48"))


def read(path: Path) -> dict[str, Any]:
    """A report, from its file or the folder of its build.

    Raises ConfigError where there is none, or one of another version, or one that lacks a field.
    """
    file = path / "report.json" if path.is_dir() else path
    again = "build the model again; only its last step is done anew"
    if not file.is_file():
        raise ConfigError(f"{file}: no report; give a finished build's folder or its report.json")
    try:
        made = load_json(file)
    except ValueError as error:
        raise ConfigError(f"{file}: not JSON ({error}); {again}") from error
    version = made.get("format") if isinstance(made, dict) else None
    if version != FORMAT:
        said = "says no format" if version is None else f"has format {version}"
        raise ConfigError(f"{file}: {said}, this program reads {FORMAT}; {again}")
    missing = _missing(made)
    if missing:
        raise ConfigError(f"{file}: {', '.join(missing)} missing; {again}")
    return dict(made)


def _missing(made: Mapping[str, Any]) -> list[str]:
    """Names of the contract's fields that a report lacks."""
    lost = []
    for section, fields in CONTRACT.items():
        held: Any = made
        for key in filter(None, section.split(".")):
            held = held.get(key) if isinstance(held, Mapping) else None
        if not isinstance(held, Mapping):
            lost.append(section)
        else:
            lost += [f"{section}.{name}".lstrip(".") for name in fields if name not in held]
    return lost


def html(report: dict[str, Any]) -> str:
    """The page: dataflow, resources, accuracy, verification, time; no script, no links."""
    return page.render(
        TEMPLATE,
        r=report,
        slowest=_slowest(report),
        stages=_stages(report),
        gauges=_gauges(report),
        by_class=_by_class(report),
        classes=report["model"].get("classes") or [],
        output=_output(report),
        best=report["accuracy"][leading(report["accuracy"])],
        rungs=[_rung(entry) for entry in report["verification"]],
        most=EXPLANATIONS,
        differing=sum(map(differences.other_logits, report["verification"])),
        seconds=sum(report["seconds"].values()),
        tool=_title(report["resources"]["source"]),
    )


def _title(source: str) -> str:
    """The title of the tool that counted."""
    return _SYNTHESIS.get(source) or registry.title(source)


def _output(report: dict[str, Any]) -> dict[str, Any]:
    """What the network gives, with a word for its integers; a label where an old report says none.

    values: their range where they are the results.
    """
    found = report.get("output") or {"kind": "label"}
    plain = found["kind"] == "values"
    return {**found, "noun": "values" if plain else "logits", "values": plain and found["values"]}


def _slowest(report: dict[str, Any]) -> int:
    """Cycles per frame of the slowest layer, or of the input where that is the limit."""
    if report["bottleneck"] == "input":
        return round(1e6 * float(report["clock"]["fclk_mhz"]) / float(report["fps"]["predicted"]))
    return max(int(layer["cycles"]) for layer in report["folding"])


def _stages(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Each layer with its share of the chip, and of the largest share any layer has."""
    chip = report["board"]["chip"]
    shares = [
        [(title, key, row["counted"][key] / chip[key]) for key, title in _CHIP if key != "ff"]
        for row in report["folding"]
    ]
    largest = max(share for row in shares for _, _, share in row) or 1.0
    return [
        {
            "layer": row,
            "parts": [
                {"name": n, "used": row["counted"][k], "share": s, "of_largest": s / largest}
                for n, k, s in parts
                if s > 0
            ],
        }
        for row, parts in zip(report["folding"], shares, strict=True)
    ]


def _gauges(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Use of each resource: the layers' parts in order, the rest, and the folding's budget."""
    chip, used = report["board"]["chip"], report["resources"]
    made = []
    for key, title in _CHIP:
        ours = report["folding"] if report["accelerator"] == "headrace" else []
        parts = [(row["layer"], row["counted"][key]) for row in ours]
        rest = used[key] - sum(n for _, n in parts)
        parts.append(("the chip around the layers", max(rest, 0)))
        made.append(
            {
                "name": title,
                "used": used[key],
                "of": chip[key],
                "share": used[key] / chip[key],
                "budget": used["budget"][key] / chip[key],
                "parts": [{"name": n, "used": v, "share": v / chip[key]} for n, v in parts if v],
            }
        )
    return made


def _rung(entry: dict[str, Any]) -> dict[str, Any]:
    """A comparison with what it found: verdict, counts and warning, in words."""
    return {
        **entry,
        "verdict": differences.verdict(entry),
        "counted": differences.counted(entry),
        "warning": differences.warned(entry),
    }


def _by_class(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the confusion matrix as counts and shares."""
    confusion = report["accuracy"]["hardware"].get("confusion") or []
    names = page.named(report["model"].get("classes"), len(confusion))
    return [
        {
            "name": names[i],
            "share": row[i] / sum(row) if sum(row) else 0.0,
            "row": [value / (sum(row) or 1) for value in row],
            "counts": row,
        }
        for i, row in enumerate(confusion)
    ]
