"""The driver's files, as they lie in the deploy folder: run.py, the notebook and the package."""

import shutil
from pathlib import Path

DRIVER = (Path(__file__).parent / "../driver").resolve()
PACKAGE = "headrace_driver"
_BESIDE = (DRIVER / "run.py", DRIVER / "headrace.ipynb")
_MODULES = tuple(path for path in sorted(DRIVER.glob("*.py")) if path not in _BESIDE)
FILES = (*_BESIDE, *_MODULES)


def copy(folder: Path) -> None:
    """Put the driver into a deploy folder."""
    (folder / PACKAGE).mkdir(exist_ok=True)
    for path in _BESIDE:
        shutil.copyfile(path, folder / path.name)
    for path in _MODULES:
        shutil.copyfile(path, folder / PACKAGE / path.name)
