"""Export to QONNX with golden vectors: the contract with the hardware build.

DIR/model.onnx   QONNX; input `pixels` float32 (1, C, H, W), 0..255; output `logits`;
                 the metadata `classes` are the names of the classes, a list in JSON.
DIR/vectors.npz  `images` uint8 (N, H, W, C), `labels` int64, `logits` float32 (N, classes),
                 `act0`, `act1`, ...: integers uint8 that each ReLU gives, (N, C, H, W) or (N, F).
DIR/model.json   the record of the model; `data`, the name of the data set, and `classes`, the
                 logits' names, say that the labels are of its classes: neither is there where
                 nobody knows what the model was trained on.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from brevitas.export import export_qonnx
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.util.cleanup import cleanup_model
from torch import Tensor, nn

from quant.dataset import Labelled
from quant.errors import ExportError
from quant.files import whole_file, write_json, write_npz
from quant.models import Model, relus
from quant.tasks import to_record
from quant.zoo import Trained

Arrays = dict[str, NDArray[Any]]

# Float32 sums in another order: a logit may differ by so much of the largest, an activation by
# one step where its value lies this close (in steps) to the rounding point.
_LOGIT_TOLERANCE = 1e-4
_EDGE_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written and how QONNX compares with Brevitas.

    folder: of the files; images: how many were compared; right: of them classified right;
    explained: of them the same up to rounding.
    """

    folder: Path
    images: int
    right: int
    explained: int

    def __str__(self) -> str:
        """For people."""
        return (
            f"{self.folder}: QONNX equals Brevitas on {self.images - self.explained} of "
            f"{self.images} images, {self.explained} more up to rounding; {self.right} classified "
            "right"
        )


def golden_vectors(model: Model, data: Labelled, batch: int = 100) -> Arrays:
    """Images, labels, logits and the integer output of every ReLU, from the Brevitas network."""
    names = relus(model)
    collected: list[list[NDArray[np.uint8]]] = [[] for _ in names]
    logits: list[NDArray[np.float32]] = []
    model.eval()
    with contextlib.ExitStack() as stack:
        for place, (_, relu) in zip(collected, names, strict=True):

            def keep(
                _: nn.Module,
                inputs: Any,
                output: Any,
                place: list[NDArray[np.uint8]] = place,
            ) -> None:
                steps = (output.value / output.scale).round()
                place.append(steps.to(torch.uint8).numpy())

            stack.callback(relu.register_forward_hook(keep).remove)
        with torch.no_grad():
            for start in range(0, len(data), batch):
                logits.append(model(_pixels(data.images[start : start + batch])).numpy())
    out: Arrays = {
        "images": data.images,
        "labels": data.labels,
        "logits": np.concatenate(logits),
    }
    for index, place in enumerate(collected):
        out[f"act{index}"] = np.concatenate(place)
    return out


def _pixels(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().float()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' chatter off the terminal."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def to_qonnx(model: Model, input_shape: tuple[int, int, int]) -> onnx.ModelProto:
    """The model in evaluation mode as one cleaned QONNX graph for one image.

    Args:
        model: quantised network; its mode is set to evaluation.
        input_shape: (height, width, channels).
    """
    height, width, channels = input_shape
    model.eval()
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "model.onnx"
        export_qonnx(
            model,
            torch.zeros(1, channels, height, width),
            export_path=str(path),
            dynamo=False,
        )
        wrapped = cleanup_model(ModelWrapper(str(path)))
        _unsigned_bits(wrapped)
        # The clean-up gives its own names.
        wrapped.rename_tensor(wrapped.graph.input[0].name, "pixels")
        wrapped.rename_tensor(wrapped.graph.output[0].name, "logits")
    return cast(onnx.ModelProto, wrapped.model)


def _unsigned_bits(wrapped: ModelWrapper) -> None:
    """Make Quant nodes of one bit, 0 and 1, of the activations that Brevitas exports as -1 and 1.

    Brevitas writes every one-bit quantiser as BipolarQuant; that is right for weights alone.
    """
    for node in wrapped.get_nodes_by_op_type("BipolarQuant"):
        if not _is_activation(wrapped.model, node):
            continue
        for name, value in (("zero_point", 0.0), ("bits", 1.0)):
            node.input.append(f"{node.output[0]}_{name}")
            wrapped.set_initializer(node.input[-1], np.array(value, np.float32))
        node.op_type = "Quant"
        for attribute in ("signed", "narrow"):
            node.attribute.append(onnx.helper.make_attribute(attribute, 0))
        node.attribute.append(onnx.helper.make_attribute("rounding_mode", "ROUND"))


def run_qonnx(proto: onnx.ModelProto, images: NDArray[np.uint8]) -> Arrays:
    """Every tensor of the graph for a batch of images, by name."""
    wrapped = ModelWrapper(onnx.ModelProto.FromString(proto.SerializeToString()))
    wrapped = wrapped.transform(ChangeBatchSize(len(images)))
    wrapped = wrapped.transform(InferShapes())
    context: Arrays = execute_onnx(
        wrapped, {"pixels": _pixels(images).numpy()}, return_full_exec_context=True
    )
    return context


def compare(proto: onnx.ModelProto, vectors: Arrays) -> int:
    """Run the graph on the vectors' images and compare logits and activations.

    Returns:
        How many images differ, each because a value lay within rounding of a step.

    Raises:
        ExportError: if an image differs and rounding does not explain it; names the layer.
    """
    context = run_qonnx(proto, vectors["images"])
    quants = [
        node
        for node in proto.graph.node
        if node.op_type == "Quant"
        and context[node.input[0]].ndim > 0
        and _is_activation(proto, node)
    ]
    acts = [name for name in vectors if name.startswith("act")]
    if len(quants) != len(acts):
        raise ExportError(
            f"the exported graph quantises {len(quants)} activations, the model {len(acts)}; "
            "export with the brevitas and qonnx versions of the project"
        )
    explained = np.zeros(len(vectors["images"]), bool)
    for name, node in zip(acts, quants, strict=True):
        ratio = context[node.input[0]].astype(np.float64) / context[node.input[1]]
        steps = np.rint(context[node.output[0]] / context[node.input[1]])
        differs = steps != vectors[name]
        edge = np.abs(ratio - np.floor(ratio) - 0.5) < _EDGE_TOLERANCE
        # An image that differs for a reason may differ anywhere after it.
        bad = _any(differs & ~edge) & ~explained
        if bad.any():
            raise ExportError(
                f"{name}: QONNX and Brevitas differ on {int(bad.sum())} of {len(bad)} images, "
                f"image {int(np.argmax(bad))} first; export with the brevitas and qonnx "
                "versions of the project"
            )
        explained |= _any(differs)
    logits = vectors["logits"]
    off = np.abs(context["logits"] - logits).max(1) > _LOGIT_TOLERANCE * np.abs(logits).max()
    bad = off & ~explained
    if bad.any():
        raise ExportError(
            f"logits: QONNX and Brevitas differ on {int(bad.sum())} of {len(bad)} images, "
            f"image {int(np.argmax(bad))} first; export with the brevitas and qonnx versions "
            "of the project"
        )
    return int(explained.sum())


def _any(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(where.reshape(len(where), -1).any(1))


def _is_activation(proto: onnx.ModelProto, node: onnx.NodeProto) -> bool:
    constants = {tensor.name for tensor in proto.graph.initializer}
    return node.input[0] not in constants


def export(trained: Trained, images: Labelled, folder: Path) -> Exported:
    """Write model.onnx, vectors.npz and model.json into `folder`, after comparing them.

    Args:
        trained: the model.
        images: what the golden vectors are of.
        folder: made if missing.

    Raises:
        ExportError: if the exported graph does not compute what the model computes.
    """
    vectors = golden_vectors(trained.model, images)
    proto = to_qonnx(trained.model, trained.network.input_shape)
    task = trained.task
    if task is not None:
        onnx.helper.set_model_props(proto, {"classes": json.dumps(task.classes)})
    explained = compare(proto, vectors)
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / "model.onnx") as temporary:
        temporary.write_bytes(proto.SerializeToString(deterministic=True))
    write_npz(folder / "vectors.npz", vectors)
    record = {"name": trained.name, **trained.record, **(to_record(task) if task else {})}
    write_json(folder / "model.json", record)
    right = int((vectors["logits"].argmax(1) == vectors["labels"]).sum())
    return Exported(
        folder=folder,
        images=len(images),
        right=right,
        explained=explained,
    )
