"""Options of the command line that go together: what each is called and may be."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

from headrace.program import OneOf
from quant.config import Colour, Device, Norm, Precision, Ranking, WeightScale
from quant.places import DEFAULT_CACHE, DEFAULT_DATA
from quant.recipes import RECIPES
from quant.topologies import NETWORKS, TEACHER

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        help="Folder with train/CLASS/* and test/CLASS/*, an .npz of arrays, or CIFAR-10.",
    ),
]
ImageSize = Annotated[
    str | None,
    typer.Option(help="HEIGHTxWIDTH, to which images are cut and scaled. [as they are]"),
]
ColourOption = Annotated[
    Colour, typer.Option("--colour", help="Of all images; auto: grey where all are.")
]
Flip = Annotated[
    bool | None,
    typer.Option("--flip/--no-flip", help="Mirror images. [for CIFAR-10, as the recipe does]"),
]
Translate = Annotated[
    int | None, typer.Option(help="Largest shift in pixels. [the recipe's 3 of 32]")
]
Cutout = Annotated[
    int | None, typer.Option(help="Side of the square that is hidden, pixels. [the recipe's]")
]
Cache = Annotated[Path, typer.Option(help="Folder where decoded images are kept.")]
Computer = Annotated[Device, typer.Option(help="What computes; auto: a GPU, if any.")]
Recipe = Annotated[
    str, typer.Option(help="The way to train; paper: as the paper says."), OneOf((*RECIPES,))
]
PrecisionOption = Annotated[
    Precision | None, typer.Option(help="Of float training; bfloat16 is faster.")
]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a training gets its images, and what computes it."""

    data: Data = DEFAULT_DATA
    image_size: ImageSize = None
    colour: ColourOption = "auto"
    cache: Cache = DEFAULT_CACHE
    compiled: Annotated[
        bool, typer.Option("--compile/--no-compile", help="Compile with torch.compile.")
    ] = True
    device: Computer = "auto"

    @property
    def named(self) -> dict[str, str]:
        """The options that name the data set, as far as they are not the default."""
        given = {"data": self.data, "image_size": self.image_size, "colour": self.colour}
        usual = {field.name: field.default for field in fields(self)}
        return {name: str(value) for name, value in given.items() if value != usual[name]}


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """One training; `quant.plan.Plan` says what the options mean together, and checks them."""

    network: Annotated[
        str, typer.Option(help=f"One of {', '.join(NETWORKS)}, {TEACHER}, or a .toml file.")
    ] = "arch2_slim"
    bits: Annotated[str, typer.Option(help="float, or weights and activations as in w2a2.")] = (
        "w2a2"
    )
    layer: Annotated[
        list[str] | None, typer.Option(help="Other bits for one layer: conv3=w4a2, last=w8.")
    ] = None
    start: Annotated[
        Path | None, typer.Option("--from", help="Float model to start from, a float.safetensors.")
    ] = None
    tune: Annotated[
        str | None,
        typer.Option(
            help="Quantised model to train further, --from its float model, or with --bits float.",
        ),
    ] = None
    recipe: Recipe = "ours"
    float_epochs: Annotated[int | None, typer.Option(help="Epochs before quantisation.")] = None
    epochs: Annotated[int | None, typer.Option(help="Epochs of the quantised network.")] = None
    float_lr: Annotated[float | None, typer.Option(help="Highest learning rate, float.")] = None
    lr: Annotated[float | None, typer.Option(help="Highest learning rate, quantised.")] = None
    batch: Annotated[int | None, typer.Option(help="Images in a step.")] = None
    batch_norm: Annotated[
        Norm | None, typer.Option(help="Layers with batch norm, instead of the recipe's.")
    ] = None
    stage_dropout: Annotated[
        float | None, typer.Option(help="Dropout after each stage of convolutions, float.")
    ] = None
    dense_dropout: Annotated[
        float | None, typer.Option(help="Dropout after each hidden dense layer, float.")
    ] = None
    weight_scale: Annotated[
        WeightScale, typer.Option(help="What the scale of the weights follows.")
    ] = "statistics"
    distill: Annotated[
        float | None, typer.Option(help="Share of the loss that imitates a float model.")
    ] = None
    teacher: Annotated[
        Path | None,
        typer.Option(help="Float model to imitate, instead of the one to start from."),
    ] = None
    views: Annotated[
        int | None,
        typer.Option(
            help="With --teacher: fixed shifts of each image, predicted once and kept beside it; "
            "0 to ask it at every step. [8]"
        ),
    ] = None
    temperature: Annotated[
        float | None, typer.Option(help="What logits are divided by where they are imitated.")
    ] = None
    flip: Flip = None
    translate: Translate = None
    cutout: Cutout = None
    precision: PrecisionOption = None
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 1


@dataclass(frozen=True, kw_only=True)
class PruneOptions:
    """One pruning; `quant.prune_plan.PrunePlan` says what the options mean together."""

    start: Annotated[Path, typer.Option("--from", help="Float model, a float.safetensors.")]
    iterations: Annotated[int, typer.Option(help="How often filters are removed.")] = 6
    share: Annotated[float, typer.Option(help="Share of the filters that go each time.")] = 0.05
    ranking: Annotated[Ranking, typer.Option(help="What says which filters go.")] = "taylor"
    recipe: Recipe = "ours"
    tune_epochs: Annotated[int, typer.Option(help="Epochs after each iteration.")] = 1
    epochs: Annotated[int, typer.Option(help="Epochs after the last iteration.")] = 16
    hardware: Annotated[
        Path | None, typer.Option(help="Table of costs: remove what saves the most logic.")
    ] = None
    cost_share: Annotated[
        float, typer.Option(help="With --hardware, share of the cost that goes each time.")
    ] = 0.05
    bits: Annotated[str, typer.Option(help="With --hardware, bits that it will have.")] = "w2a2"
    batch: Annotated[int | None, typer.Option(help="Images in a step.")] = None
    flip: Flip = None
    translate: Translate = None
    cutout: Cutout = None
    precision: PrecisionOption = None
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 1
