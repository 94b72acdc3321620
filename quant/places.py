"""Where things are, unless somebody names another folder."""

from pathlib import Path

ZOO = Path(__file__).parent / "zoo"
# Of trainings whose weights are not kept.
RECORDS = Path(__file__).parent / "records"
DEFAULT_DATA = Path("data/cifar10")
DEFAULT_CACHE = Path("runs/cache")
# In the checkout, where the command is given.
README = Path("README.md")
PAPER_PAGE = Path("docs/paper.md")
PAPER_LIST = Path("docs/trainings/paper.toml")
