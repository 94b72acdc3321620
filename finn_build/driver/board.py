"""The board through pynq: its device, a bitstream, FCLK0, the memory port, registers."""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

from .errors import BoardError
from .registers import IDENTITY, WINDOW, WINDOW_BYTES, Registers

OLDEST_PYNQ = (2, 7)
# HP0's registers for the width of reads and of writes: bit 0 is 0 for 64 bits (UG585, AFI).
AFI_WIDTHS = (0xF8008000, 0xF8008014)
# The resets that the processors give to the fabric: bit 0 is FCLK0's (UG585, FPGA_RST_CTRL).
FABRIC_RESETS = 0xF8000240
CRYSTAL_MHZ = 50.0  # pynq takes every board's crystal for this one
CLOCK_ERROR = 0.005  # share by which FCLK0 may miss what was asked for
# Which bitstream this driver loaded last; the folder is empty after every start of the board.
RECORD = Path("/run/headrace")
SETUP = ("/etc/profile.d/pynq_venv.sh", "/etc/profile.d/xrt_setup.sh")
_AS_ROOT = (
    "run as root after `sudo -i`, which sets the image's Python and XRT up; where that is not "
    f"possible (cron, `ssh` with a command), source {SETUP[0]} and {SETUP[1]} first, as root"
)


class Board:
    """The board that pynq finds; everything that the driver asks of pynq, but for the buffers."""

    def __init__(self) -> None:
        """Find it. Raises BoardError without pynq, with one that is too old, without a device."""
        self.pynq = _pynq()
        self.version = str(self.pynq.__version__)
        self.numbers = _numbers(self.version)
        try:
            self.device: Any = self.pynq.Device.active_device
        except (OSError, RuntimeError) as error:
            raise BoardError(f"pynq {self.version} finds no board ({error}); {_AS_ROOT}") from error
        # A simulated device brings a clock and a record of its own.
        self.clock: Callable[[], float] = getattr(self.device, "clock", time.perf_counter)
        self._record: Path = getattr(self.device, "record", RECORD)

    def load(self, path: Path, name: str) -> None:
        """Load a bitstream file and set HP0 to 64 bits; name: of the board that it is for.

        A chip of headrace that is still loaded ends its bursts first: the fabric's configuration
        does not reset the processors' side of the port, and the rest of a burst would be taken
        from the next chip's data. Raises BoardError.
        """
        path = path.absolute()  # pynq looks for relative ones among its packages too
        try:
            self._quiet()
            self._remember("")  # there is no chip from here on, and none must be accessed
            with _elsewhere():
                self.pynq.Bitstream(str(path)).download()
            for address in AFI_WIDTHS:
                self._change(address, 0)
        except (OSError, RuntimeError) as error:
            raise BoardError(
                f"{path}: the board does not load it ({error}); {_AS_ROOT}; the board must be "
                f"the {name}"
            ) from error
        self._remember(str(path))

    def set_clock(self, mhz: float, crystal_mhz: float) -> float:
        """Set FCLK0, in MHz, and return what it is; the chip is held in reset meanwhile.

        Its bursts must have ended before. Raises BoardError where it becomes another clock.
        """
        clocks, believed = self.pynq.Clocks, CRYSTAL_MHZ / crystal_mhz
        self._change(FABRIC_RESETS, 1)
        try:
            clocks.fclk0_mhz = mhz * believed
            found = float(clocks.fclk0_mhz) / believed
        finally:
            self._change(FABRIC_RESETS, 0)
        if abs(found - mhz) > CLOCK_ERROR * mhz:
            raise BoardError(
                f"FCLK0 is {found:g} MHz though set to {mhz:g}; build with a --clock-mhz that the "
                "board's PLL divides to, as 1000/n"
            )
        return found

    def registers(self, table: dict[str, Any]) -> Registers:
        """The chip's registers; table: of registers.json."""
        return Registers(self.pynq.MMIO(WINDOW, WINDOW_BYTES), table)

    def _change(self, address: int, bit: int) -> None:
        """Set bit 0 of a register of the processors."""
        register = self.pynq.MMIO(address, 4)
        register.write(0, int(register.read(0)) & ~1 | bit)

    def _quiet(self) -> None:
        """Reset a chip of headrace that is loaded; the reset ends when its bursts have ended.

        If its reset does not end, nothing more can be done.
        """
        table = self._loaded(self._known())
        if table is not None:
            registers = self.registers(table)
            if registers.read("id") == IDENTITY:
                registers.reset()

    def _known(self) -> str | None:
        """The bitstream that pynq takes for loaded."""
        try:
            name: str | None = self.pynq.PL.bitfile_name
        except FileNotFoundError:  # pynq 3.0 reads that file, and loads nothing else if it is gone
            self.pynq.PL.reset()
            return None
        return name

    def _loaded(self, known: str | None) -> dict[str, Any] | None:
        """registers.json of the chip that is loaded, None where it may be none of headrace's.

        An access to a chip without registers there would stop the processors, so this driver's
        record and pynq's must agree: the first is lost with a start of the board, the second
        follows whatever else pynq loads.
        """
        try:
            path = Path(self._record.read_text())
            if str(path) != known:
                return None
            made = json.loads((path.parent / "manifest.json").read_text())
            table: dict[str, Any] = json.loads((path.parent / "registers.json").read_text())
        except (OSError, ValueError):
            return None
        ours = made.get("accelerator") == "headrace" and made.get("bitstream") == path.name
        return table if ours else None

    def _remember(self, path: str) -> None:
        """Record what is loaded; without that, the next one loads without the reset."""
        with suppress(OSError):
            self._record.write_text(path)


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Be in an empty folder: pynq 3.1 and later write `loaded.xclbin` where they are called."""
    before = os.open(".", os.O_RDONLY)
    try:
        with tempfile.TemporaryDirectory(prefix="headrace") as folder:
            os.chdir(folder)
            try:
                yield
            finally:
                os.fchdir(before)
    finally:
        os.close(before)


def _pynq() -> Any:
    """The board's pynq. Raises BoardError where there is none, or one that is too old."""
    try:
        import pynq
    # Its own imports load XRT's libraries.
    except (ImportError, OSError, RuntimeError) as error:
        raise BoardError(
            f"pynq is not there ({error}); use a board with a PYNQ image, version "
            f"{_dotted(OLDEST_PYNQ)} or later, and {_AS_ROOT}"
        ) from error
    version = str(pynq.__version__)
    if _numbers(version) < OLDEST_PYNQ:
        raise BoardError(
            f"pynq {version} is too old; use a PYNQ image of version {_dotted(OLDEST_PYNQ)} or "
            "later (pynq.io/board.html)"
        )
    return pynq


def _numbers(version: str) -> tuple[int, ...]:
    """Major and minor version."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))
