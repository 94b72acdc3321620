"""The job that folds a trained design with its own weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finn_build import frontend
from finn_build.folding.folding import fits
from finn_build.network.graph import Network as Hardware
from quant.config import Network
from quant.exporting import to_qonnx
from quant.models import Model
from quant.zoo import load_trained
from sweep.design import Limits
from sweep.hardware import figures, fold
from sweep.job import Place, Request


def run(request: Request, place: Place) -> dict[str, Any]:
    """Fold the model of the first parent.

    Trained weights may take more logic, as constants, than those that were drawn before training: a
    folding that just fitted may not fit with them.

    Returns:
        Plain values as of `hardware.cost`, and folding (path below the sweep's folder). A rate
        that was asked for and is out of reach is no reason not to fit: the fastest is taken then,
        and `why` says so.

    Raises:
        HeadraceError: if the front end does not take the model.
    """
    limits, folder = Limits.of(request.settings), place.folder(request.id)
    trained = load_trained(str(place.root / request.parents[0]["weights"]))
    network = layers(trained.model, trained.network, folder)
    folding, why = fold(network, limits)
    path = folder / "folding.json"
    folding.save(path)
    return {
        "fits": fits(folding.total, limits.room),
        "why": why,
        **figures(network, folding, limits.fclk_mhz),
        "folding": str(path.relative_to(place.root)),
    }


def layers(model: Model, network: Network, folder: Path) -> Hardware:
    """The integer network that a build makes of a model; leaves model.onnx in `folder`."""
    path = folder / "model.onnx"
    path.write_bytes(to_qonnx(model, network.input_shape).SerializeToString())
    return frontend.read(frontend.load(path), network.name).network
