"""Where things are, unless somebody names another folder."""

from pathlib import Path

ZOO = Path(__file__).parent / "zoo"
DEFAULT_DATA = Path("data/cifar10")
DEFAULT_CACHE = Path("runs/cache")
