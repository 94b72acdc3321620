"""Write report.json, the contract, and report.html, the page for people."""

import re
from importlib import metadata
from pathlib import Path
from typing import Any

from finn_build.backends.base import OURS
from finn_build.config import Options, zoo_files
from finn_build.flow import provenance
from finn_build.flow.pipeline import Build
from finn_build.network import differences
from finn_build.network.graph import Network
from finn_build.pages import accuracy, report
from finn_build.system import machine
from finn_build.system.files import load_json, save_json

# Counts of the whole chip; levels of logic are known only for the accelerator's modules.
_PLACED = ("lut", "ff", "bram36", "dsp", "carry4", "lutram")


def run(build: Build, out: Path) -> str:
    """Leave report.json and report.html in `out`; they are copied to the build's root."""
    collected = collect(build)
    save_json(out / "report.json", collected)
    (out / "report.html").write_text(report.html(collected))
    for name in ("report.json", "report.html"):
        partial = build.folder / f"{name}.partial"
        partial.write_bytes((out / name).read_bytes())
        partial.replace(build.folder / name)
    kind = "predicted" if collected["fps"]["simulated"] is None else "simulated"
    warning = differences.worst(collected["verification"])
    stages = collected["accuracy"]
    best = stages[stages["leading"]]
    share = f"{100 * best['value']:.2f} % of {best['images']:,} images, " if best["value"] else ""
    rate = f"{collected['fps'][kind]:,.0f} frames/s {kind}"
    said = f"{build.folder / 'report.html'}: {share}{rate}"
    return f"{said}; {warning}" if warning else said


def collect(build: Build) -> dict[str, Any]:
    """Gather what the steps left into the report's fields."""
    options, network = build.options, Network.load(build.path("golden", "network.npz"))
    record = load_json(build.path("export", "model.json"))
    measured = load_json(build.path("accuracy", "result.json"))
    costs = load_json(build.path("fold", "costs.json"))
    sim = load_json(build.path("simulate", "result.json"))
    synth = load_json(build.path("synthesise", "result.json"))
    routed = load_json(build.path("route", "result.json"))
    # Yosys' counts and the simulation are of our accelerator; they say nothing of another one.
    accelerator = routed.get("accelerator", OURS)
    ours = accelerator == OURS
    hertz = options.fclk_mhz * 1e6
    return {
        "format": report.FORMAT,
        "model": _model(network, record, measured["classes"]),
        "output": _output(network, measured["values"]),
        "accelerator": accelerator,
        "board": {
            "name": options.target.name,
            "title": options.target.title,
            "part": options.target.part,
            "chip": vars(options.target.chip),
        },
        "accuracy": _accuracy(record, measured),
        "verification": _verification(build, measured["verification"], sim),
        "folding": _folding(network, costs, synth),
        "bottleneck": costs["bottleneck"],
        "rtl_sim": {k: v for k, v in sim.items() if k != "labels"},
        "resources": _resources(costs, synth if ours else None, routed),
        "clock": _clock(options, routed),
        "fps": {
            "predicted": hertz / (costs["cycles"] if ours else routed["cycles"]),
            "simulated": hertz / sim["cycles_per_frame"] if ours else None,
        },
        "bitstream": load_json(build.path("bitstream", "result.json")),
        "tools": {
            "synthesis": f"Yosys {metadata.version('pyosys')}",
            "route": routed.get("tool_version"),
        },
        "machine": {"cpu": machine.cpu(), "threads": machine.threads()},
        "code": build.code | dict(provenance.hashes(zoo_files(options.model))),
        "seconds": {name: step["seconds"] for name, step in build.records.items()},
    }


def _model(network: Network, record: dict[str, Any], classes: int) -> dict[str, Any]:
    """The network: its bits, sizes and work."""
    return {
        "name": network.name,
        "weight_bits": [m.weight_bits for m in network.mvtus],
        "act_bits": _act_bits(network),
        "parameters": record.get("parameters", sum(m.weights.size for m in network.mvtus)),
        "macs": network.macs,
        "filters": [m.rows for m in network.mvtus if m.windowed],
        "classes": classes,
        "data": record.get("data"),
    }


def _output(network: Network, values: dict[str, float]) -> dict[str, Any]:
    """What leaves the accelerator, and the range of the values that its integers stood for."""
    said = network.end.manifest({})["output"]
    shape = said.get("shape", [network.end.integers])
    return {"kind": said["kind"], "shape": shape, "values": values}


def _act_bits(network: Network) -> list[int]:
    """Bits of the codes that follow from each unit's sums, of those that are not logits."""
    after = {source: layer for layer, (source, *_) in network.walk()}
    ends = [unit if unit.steps else after.get(unit.name) for unit in network.mvtus]
    shapes = network.shapes()
    return [shapes[layer.name].bits for layer in ends if layer is not None and layer.coded]


def _accuracy(record: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    """What training's record says, what the golden model reached now, and which of them leads."""
    trained = record.get("accuracy") or {}
    told = {
        stage: {
            "value": trained[name],
            "images": record.get("test_images"),
            "source": f"training's record, {record.get('device', 'device unknown')}",
        }
        for stage, name in (("float", "float"), ("qat", "quantised"))
        if trained.get(name) is not None
    }
    now = f"golden integer model, run now on the {measured['source']}"
    stages = {
        **told,
        "hardware": {
            "value": measured["accuracy"],
            "images": measured["images"],
            "source": measured["unknown"] if measured["accuracy"] is None else now,
            "confusion": measured.get("confusion"),
            "images_per_second": measured["images_per_second"],
        },
    }
    return {**stages, "leading": accuracy.leading(stages)}


def _verification(
    build: Build, accuracy: dict[str, Any], sim: dict[str, Any]
) -> list[dict[str, Any]]:
    """All comparisons of two stages, from training to the netlist."""
    rungs: list[dict[str, Any]] = load_json(build.path("golden", "verification.json"))
    mapped = load_json(build.path("netlist", "result.json"))
    simulated = [_simulated("netlist", mapped)] if mapped["images"] else []
    return [*rungs, accuracy, _simulated("rtl", sim), *simulated]


def _folding(
    network: Network, costs: dict[str, Any], synth: dict[str, Any]
) -> list[dict[str, Any]]:
    """A row for each layer: its folding, what it costs by estimate and count, what leaves it."""
    streams = _streams(network)
    return [
        {**row, "counted": _counted(row["layer"], synth["modules"]), "out": streams[row["layer"]]}
        for row in costs["layers"]
    ]


def _resources(
    costs: dict[str, Any], synth: dict[str, Any] | None, routed: dict[str, Any]
) -> dict[str, Any]:
    """What the chip takes: as placed, else as synthesis counted it, and the folding's estimate."""
    placed = {k: v for k, v in routed.get("resources", {}).items() if k in _PLACED}
    return {
        **(synth["whole"] if synth else {}),
        **placed,
        "source": routed["tool"] or "yosys",
        "estimate": costs["estimate"],
        "budget": {**costs["budget"], "share": costs["share"]},
    }


def _clock(options: Options, routed: dict[str, Any]) -> dict[str, Any]:
    """The clock that was asked for, and the one that was reached."""
    timed = routed["tool"] is not None
    return {
        "target_mhz": options.clock_mhz,
        "achieved_mhz": routed["best"]["mhz"] if timed else None,
        "fclk_mhz": options.fclk_mhz,
        "source": f"routed clock by {routed['timing']}"
        if timed
        else "target; not placed and routed",
        "critical_path": routed.get("path"),
        "seeds": {str(seed): mhz for seed, mhz in routed.get("seeds", {}).items()},
    }


def _simulated(against: str, result: dict[str, Any]) -> dict[str, Any]:
    """A comparison of hardware with the golden model, in which nothing may differ."""
    differ = dict.fromkeys(("mismatches", "labels", "logits"), result["mismatches"])
    compared = {"stage": "golden", "against": against, "images": result["images"], **differ}
    return {**compared, "explained": 0, "explanations": []}


def _counted(layer: str, modules: dict[str, dict[str, float]]) -> dict[str, float]:
    """What synthesis counted for a layer, the FIFOs and width converters before it, its fork."""
    parts = r"(_skip|_a|_b)?(_fifo|_width|_windows|_across|_fork)?"
    own = [
        counts for name, counts in modules.items() if re.fullmatch(re.escape(layer) + parts, name)
    ]
    return {key: sum(counts[key] for counts in own) for key in ("lut", "ff", "bram36", "dsp")}


def _streams(network: Network) -> dict[str, dict[str, Any]]:
    """Shape, channels last, and bits of what leaves each layer in a frame."""
    shapes = network.shapes()
    return {
        layer.name: {"shape": list(shapes[layer.name].sizes), "bits": shapes[layer.name].bits}
        for layer in network.layers
    }
