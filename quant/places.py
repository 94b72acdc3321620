"""Where things are, unless somebody names another folder."""

from pathlib import Path

from quant.errors import ConfigError

ZOO = Path(__file__).parent / "zoo"
# Of trainings whose weights are not kept.
RECORDS = Path(__file__).parent / "records"
DEFAULT_DATA = Path("data/cifar10")
DEFAULT_CACHE = Path("runs/cache")
# In the checkout, where the command is given.
README = Path("README.md")
PAPER_PAGE = Path("docs/paper.md")
PAPER_LIST = Path("docs/trainings/paper.toml")


def result_folder(out: str | Path | None, name: str) -> Path:
    """Folder of a training's results: runs/NAME if none is given.

    Raises:
        ConfigError: if it has no name, which the model would get.
    """
    folder = Path("runs") / Path(name).stem if out is None else Path(out)
    if not folder.name:
        raise ConfigError(f"--out {folder}: has no name for the model; use for example runs/mine")
    return folder
