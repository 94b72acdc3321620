"""What the tests of all folders share: one core for each worker, one at a time in a folder."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from installed import Installed

_ROOT = Path(__file__).parents[1]

# Several workers (pytest -n) share the cores among themselves, and the programs that they start do.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Verilator's makefiles start the compiler by this program, whoever calls them.
_LAUNCHER = Path(__file__).with_name("object_cache.py")
_OBJECTS = _ROOT / "build" / "tests" / "objects"
os.environ["OBJCACHE"] = f"{sys.executable} -IS {_LAUNCHER} {_OBJECTS}"

# What builds keep for each other stays out of the user's folder.
os.environ["XDG_CACHE_HOME"] = str(_ROOT / "build" / "tests" / "cache")

# The tests are no package: make what several folders use importable.
sys.path.append(str(Path(__file__).parent))

# As of every command: the checkout's data/cifar10, or what --data names.
_DATA = _ROOT / "data" / "cifar10"
SLOW = "takes minutes; --slow runs it too"
Locked = Callable[[Path], AbstractContextManager[None]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes, too")
    parser.addoption("--data", type=Path, default=_DATA, help="folder of CIFAR-10")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if "slow" in item.keywords and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason=SLOW))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def data_folder(request: pytest.FixtureRequest) -> Path:
    """The real data set; without it the test is skipped."""
    folder: Path = request.config.getoption("--data").resolve()
    if not folder.is_dir():
        pytest.skip("no CIFAR-10: `./build.sh download`, or name its folder with --data=DIR")
    return folder


@pytest.fixture(scope="session")
def locked() -> Locked:
    """`with locked(folder)`: makes the folder; no other worker is in such a block of it."""
    return _locked


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    from installed import built

    return built(_ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment with the wheel in it."""
    from installed import install

    return install(wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def run_id() -> str:
    """The same for all workers of one run of the tests, and no other."""
    return os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
