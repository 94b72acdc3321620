"""What a build is asked to do."""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Literal, get_args

from finn_build.backends import BACKENDS
from finn_build.boards import Board, find_board
from finn_build.errors import ConfigError
from headrace.names import identifier, printable

DATA = Path("data/cifar10")  # used for the models of CIFAR-10 where it exists
CIFAR10 = "cifar10"  # what records call that
PIXEL_MOST = 1 << 24  # of --pixel-max, where float32 still has each whole number
VECTORS = 100  # images that come with a model
Objective = Literal["throughput", "latency"]
Output = Literal["auto", "label", "values"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
OUTPUTS: tuple[Output, ...] = get_args(Output)
MODEL_FILES = (".onnx", ".safetensors")
TOOLS = ("auto", *BACKENDS, "none")


_ZOO = Path(__file__).parents[1] / "quant/zoo"


def zoo() -> list[str]:
    """Names of quant's models; its code is not imported for them."""
    return sorted(p.stem for p in _ZOO.glob("*.safetensors"))


def zoo_files(model: str) -> list[Path]:
    """A model's weights and its record, if it is one of quant's."""
    return sorted(path for path in _ZOO.iterdir() if path.stem == model)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of one build, as on the command line.

    model: a zoo name, a checkpoint (.safetensors) or a QONNX file (.onnx); data: the data set to
    score the model on, as `quant train` takes it, None: DATA where it exists and the model is of
    CIFAR-10, else the images that travel with the model; labels: file with the names of the
    classes; images: how many to simulate at the RTL; netlist_images: how many in the synthesised
    netlist, 0 for none; pixel_max: what a QONNX file takes for the brightest pixel, 255 where it
    takes bytes; seeds: how many times to place and route; output: whether a QONNX file gives a
    label or values, or auto for what its output looks like; chipdb, prjxray_db: databases of
    nextpnr and Project X-Ray, for openxc7; vivado: Vivado's own folder.
    """

    board: str
    model: str
    data: Path | None = None
    labels: Path | None = None
    out: Path | None = None
    tool: str = "auto"
    clock_mhz: float = 100.0
    target_fps: float | None = None
    objective: Objective = "throughput"
    images: int = 10
    netlist_images: int = 0
    folding: Path | None = None
    pixel_max: float = 255.0
    output: Output = "auto"
    seeds: int = 1
    chipdb: Path | None = None
    prjxray_db: Path | None = None
    vivado: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        board = find_board(self.board)
        if self.tool not in TOOLS:
            raise ConfigError(f"unknown tool {self.tool!r}; known tools: {', '.join(TOOLS)}")
        if not 1 <= self.clock_mhz <= board.most_mhz:
            raise ConfigError(f"--clock-mhz {self.clock_mhz:g}: use 1 to {board.most_mhz:g}")
        if self.target_fps is not None and not 0 < self.target_fps < inf:
            raise ConfigError(f"--target-fps {self.target_fps:g}: use a rate above 0")
        if self.objective not in OBJECTIVES:
            raise ConfigError(f"--objective {self.objective}: use {' or '.join(OBJECTIVES)}")
        if self.objective == "latency" and self.target_fps is not None:
            raise ConfigError("--objective latency has no --target-fps; leave one of them out")
        if not PIXEL_MOST**-1 <= self.pixel_max <= PIXEL_MOST:
            raise ConfigError(
                f"--pixel-max {self.pixel_max:g}: use 255, 1 or another up to {PIXEL_MOST:,}"
            )
        if not self._file and identifier(self.model) != self.model:
            raise ConfigError(
                f"unknown model {printable(self.model)}; known models: {', '.join(zoo())}; a file "
                f"ends in {' or '.join(MODEL_FILES)}"
            )
        if self.pixel_max != 255 and Path(self.model).suffix != ".onnx":
            raise ConfigError("--pixel-max is for QONNX files; leave it out for a model of the zoo")
        if self.output not in OUTPUTS:
            raise ConfigError(f"--output {self.output}: use {', '.join(OUTPUTS)}")
        if self.output != "auto" and Path(self.model).suffix != ".onnx":
            raise ConfigError("--output is for QONNX files; a model of the zoo gives labels")
        if self.seeds < 1:
            raise ConfigError(f"--seeds {self.seeds}: use 1 or more")
        if not 2 <= self.images <= VECTORS:
            raise ConfigError(f"--images {self.images}: use 2 to {VECTORS}")
        if self.netlist_images != 0 and not 2 <= self.netlist_images <= VECTORS:
            raise ConfigError(f"--netlist-images {self.netlist_images}: use 0, or 2 to {VECTORS}")

    @property
    def target(self) -> Board:
        """The board's description."""
        return find_board(self.board)

    @property
    def name(self) -> str:
        """Name of the model: the zoo's, or the file's without its ending as an identifier."""
        return identifier(Path(self.model).stem) if self._file else self.model

    @property
    def _file(self) -> bool:
        return Path(self.model).suffix in MODEL_FILES

    @property
    def folder(self) -> Path:
        """Where the build goes."""
        return self.out or Path("build") / self.board / self.name

    @property
    def fclk_mhz(self) -> float:
        """Fastest clock that the board can set, not above the target."""
        return self.target.fclk_mhz(self.clock_mhz)
