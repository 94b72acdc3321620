"""Training from start to record: float, then quantised, then the test images, once."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from quant.config import Network, Quantisation, Training, network_to_json
from quant.data import Labelled
from quant.errors import ConfigError
from quant.files import write_json, write_tensors
from quant.loop import Images, Phase, accuracy
from quant.models import Model, build_float, build_quantised, start_from_float
from quant.surrogate import Surrogate


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that decides what a training gives."""

    network: Network
    quantisation: Quantisation
    float_training: Training
    quant_training: Training
    compiled: bool = True
    device: str = "cpu"
    command: str = ""


def train(
    plan: Plan, data: Labelled, test: Labelled, out: Path, console: Console | None = None
) -> dict[str, Any]:
    """Train a network and write `out`/NAME.safetensors and NAME.json, NAME being `out`'s name.

    Args:
        plan: what to train and how; the same plan and `out` resume an interrupted training.
        data: training images; the first `validation` of them are held out, to watch.
        test: test images, used once, at the end.
        out: folder for checkpoints and result.
        console: where progress goes.

    Returns:
        The record that NAME.json holds.

    Raises:
        CheckpointError: if `out` holds a corrupt checkpoint or another training's.
        ConfigError: if batch, validation and number of images do not go together.
    """
    console = console or Console(stderr=True)
    device = torch.device(plan.device)
    commit = _commit()
    held = plan.quant_training.validation
    if held >= len(data):
        raise ConfigError(f"training: validation={held} leaves none of {len(data)} images")
    train_images = Images.of(data.part(slice(held, None)), device)
    held_out = Images.of(data.part(slice(0, held)), device)
    identity: dict[str, Any] = {"network": network_to_json(plan.network), "images": len(data)}

    torch.manual_seed(plan.float_training.seed)
    teacher = build_float(plan.network).to(device)
    first = Phase(
        "float",
        teacher,
        plan.float_training,
        out / "float-state.safetensors",
        identity,
        compiled=plan.compiled,
        console=console,
    )
    float_status = first.run(train_images, held_out)
    model = _quantise(plan, teacher, train_images)
    second = Phase(
        "quantised",
        model,
        plan.quant_training,
        out / "quantised-state.safetensors",
        {
            **identity,
            "quantisation": asdict(plan.quantisation),
            "float": asdict(plan.float_training),
        },
        teacher=teacher,
        twin=Surrogate(model, plan.quantisation),
        compiled=plan.compiled,
        console=console,
    )
    quant_status = second.run(train_images, held_out)

    test_images = Images.of(test, device)
    results = {
        "accuracy": {
            "float": accuracy(teacher, test_images),
            "quantised": accuracy(model, test_images),
        },
        "test_images": len(test),
        "epochs": {"float": float_status.epoch, "quantised": quant_status.epoch},
        "seconds": {"float": float_status.seconds, "quantised": quant_status.seconds},
        "device": _device_name(device),
    }
    return _write(plan, model, results, commit, out / f"{out.name}.safetensors")


def _quantise(plan: Plan, teacher: Model, images: Images) -> Model:
    """The quantised network with the weights of the float one."""
    model = build_quantised(plan.network, plan.quantisation).to(images.pixels.device)
    pixels = images.pixels[:512].float()
    start_from_float(model, teacher.state_dict(), pixels, plan.quantisation.act_bits)
    return model


def _write(
    plan: Plan, model: Model, results: dict[str, Any], commit: str, weights: Path
) -> dict[str, Any]:
    """Write weights and record; returns the record."""
    state = model.state_dict()
    kept = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    write_tensors(weights, kept, {"network": plan.network.name})
    record = {
        **describe(plan.network, plan.quantisation),
        **results,
        "seed": plan.quant_training.seed,
        "command": plan.command,
        "commit": commit,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "layers": network_to_json(plan.network),
        "quantisation": asdict(plan.quantisation),
        "training": {
            "float": asdict(plan.float_training),
            "quantised": asdict(plan.quant_training),
        },
    }
    write_json(weights.with_suffix(".json"), record)
    return record


def describe(network: Network, quantisation: Quantisation) -> dict[str, Any]:
    """The part of a record that follows from the configuration alone."""
    return {
        "network": network.name,
        "weight_bits": quantisation.weight_bits,
        "act_bits": quantisation.act_bits,
        "filters": network.filters,
        "parameters": network.parameters,
        "macs": network.macs,
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads"


def _commit() -> str:
    """The commit of this package's checkout, marked if `quant` differs from it."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise OSError(done.stderr)
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        return f"{commit}-dirty" if git("status", "--porcelain", "--", ".") else commit
    except OSError:
        return "unknown"
