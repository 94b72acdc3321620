"""Synthesise, place, route and write a bitstream with Vivado, by scripts without a project."""

import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from math import floor
from pathlib import Path

from finn_build.backends import bitfile, tools
from finn_build.backends.base import Routed
from finn_build.backends.vivado import reports
from finn_build.errors import ToolError
from finn_build.rtl.emitted import sources
from finn_build.system.templates import environment

PROGRAM = "vivado"
TIMING = "Vivado's timing analysis"
TEMPLATE = Path(__file__).parent / "chip.tcl.j2"
# Older versions are known to synthesise some SystemVerilog differently from its simulation.
MINIMUM = "2021.1"
INSTALL = (
    f"Vivado's free Standard edition, {MINIMUM} or later, has the parts of these boards (amd.com, "
    "Zynq-7000 devices); source its settings64.sh, or say --vivado DIR or XILINX_VIVADO"
)
CHECKPOINT = "chip.dcp"
# The one clock, and the cell of the processors, which must stay: the chip has no ports, and without
# that cell all logic would be removed as unused.
_PS7 = "zynq_i/u_ps7/u_ps7"
_CONSTRAINTS = (
    "create_clock -name fclk0 -period {ns:.3f} [get_pins {{{ps7}/FCLKCLK[0]}}]\n"
    "set_input_jitter [get_clocks fclk0] {jitter:.3f}\n"
    "set_property DONT_TOUCH true [get_cells {ps7}]\n"
)
# Share of the period, as in the constraints of the vendor's own processing system.
_JITTER = 0.03
_WRITE = f"open_checkpoint {CHECKPOINT}\nwrite_bitstream -force chip.bit\n"
_NO_PART = "headrace: this part is not installed"
_PART_MARK = "headrace: found "
_PARTS = (
    "foreach part $argv {\n"
    f'  if {{[llength [get_parts -quiet $part]]}} {{ puts "{_PART_MARK}$part" }}\n'
    "}\n"
)
# Messages that a part of the design was left out or misread, after which Vivado continues.
_LEFT_OUT = {
    "Synth 8-27": "what synthesis does not know",
    "Synth 8-2898": "a $readmemh that is left out",
    "Synth 8-3391": "a memory that becomes registers, or none",
    "Synth 8-4445": "a memory's file that cannot be read",
    "Synth 8-4556": "a variable that is too large",
    "Synth 8-6896": "an initial block that is left out",
}
_MESSAGE = re.compile(
    rf"^(?:CRITICAL WARNING|WARNING|ERROR): \[({'|'.join(_LEFT_OUT)})\] (.*?)"
    r"(?: \[([^\]\n]*?):\d+\])?$",
    re.MULTILINE,
)
_OVER = re.compile(
    r"requires more ([^\n]+?) cells than are available[^\n]*?requires (\d+) of such cell types but "
    r"only (\d+)"
)


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Vivado's program, and the part that it is wanted for."""

    part: str
    program: Path


def find(part: str, *, folder: Path | None) -> Setup:
    """Look for Vivado in its folder, or on PATH. Raises ToolError that says what to install."""
    given = folder and folder / "bin" / PROGRAM
    if given is not None and given.is_file():
        setup = Setup(part=part, program=given.resolve())
    else:
        found = shutil.which(PROGRAM)
        if found is None:
            where = f", and there is no {given}" if given else ""
            raise ToolError(f"vivado is not on PATH{where}. {INSTALL}")
        setup = Setup(part=part, program=Path(found))
    known = _release(setup.program)
    if known is not None and _numbers(known) < _numbers(MINIMUM):
        raise ToolError(
            f"{version(setup)} at {setup.program} is too old: it must be {MINIMUM} or later. "
            f"{INSTALL}"
        )
    return setup


def version(setup: Setup) -> str:
    """Vivado's name and version."""
    return f"Vivado {_release(setup.program) or 'of unknown version'}"


@cache
def _release(program: Path) -> str | None:
    """What a program calls its version; it takes seconds to say so."""
    found = re.search(r"vivado v(\S+)", tools.output([program, "-version"]), re.IGNORECASE)
    return found and found[1]


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", release)))


def parts(setup: Setup, wanted: list[str], folder: Path) -> list[str]:
    """Start Vivado in a scratch folder and return those of the wanted parts that it has."""
    (folder / "parts.tcl").write_text(_PARTS)
    said = _run(setup, folder, "parts.tcl", *wanted, log=folder / "parts.log")
    return re.findall(rf"^{_PART_MARK}(\S+)", said, re.MULTILINE)


def no_part(setup: Setup) -> str:
    """What to do where Vivado does not have the part."""
    return (
        f"{version(setup)} at {setup.program} has no {setup.part}: add the devices Zynq-7000 with "
        "Vivado's installer"
    )


def constraints(mhz: float) -> str:
    """XDC of the chip, which has no ports."""
    ns = floor(1e6 / mhz + 1e-3) / 1e3  # never longer than the clock's period
    return _CONSTRAINTS.format(ns=ns, jitter=ns * _JITTER, ps7=_PS7)


def place_and_route(
    setup: Setup, rtl: Path, out: Path, *, mhz: float, files: str, top: str, log: Path
) -> tuple[Routed, dict[str, float]]:
    """Take the sources of `top` that `files` lists in `rtl` up to a routed checkpoint in `out`.

    Leaves a folder that Vivado can be run in again: sources, memory images, chip.xdc, chip.tcl; and
    its reports. Returns the critical path with what is used, and report.json's resources. Raises
    ToolError if the part is not installed, something ran out, a part of the design was left out,
    whatever Vivado's exit status, or a hold time is missed.
    """
    listed = sources(rtl, files)
    for name in [*listed, *(path.name for path in sorted(rtl.glob("*.hex")))]:
        shutil.copyfile(rtl / name, out / name)
    (out / "chip.xdc").write_text(constraints(mhz))
    script = environment(TEMPLATE.parent).get_template(TEMPLATE.name)
    text = script.render(
        top=top, part=setup.part, sources=listed, no_part=_NO_PART, left_out=_LEFT_OUT
    )
    (out / "chip.tcl").write_text(text)
    try:
        _run(setup, out, "chip.tcl", log=log)
    except ToolError as error:
        said = log.read_text(errors="replace")
        if _NO_PART in said:
            raise ToolError(no_part(setup)) from error
        over = [f"{int(n):,} {what} of {int(of):,}" for what, n, of in _OVER.findall(said)]
        full = f"the chip is too small: {', '.join(over)}\n" if over else ""
        raise ToolError(f"{full}{left_out(said)}{error}") from error
    missing = left_out(log.read_text(errors="replace"))
    if missing:
        raise ToolError(f"{missing}{log} has all that Vivado said")
    return reports.read(out / "timing.txt", out / "utilization.txt")


def left_out(said: str) -> str:
    """What of the design Vivado left out or misread by its log, a line for each with its module."""
    lines = {
        f"{Path(file).stem if file else 'the design'}: Vivado met {_LEFT_OUT[what]}: {text}\n"
        for what, text, file in _MESSAGE.findall(said)
    }
    return "".join(sorted(lines))


def bitstream(
    setup: Setup, checkpoint: Path, out: Path, *, design: str, size: int, log: Path
) -> None:
    """Write the .bit file `out` of a routed checkpoint; size: bytes of configuration data."""
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        # A path may have characters with a meaning in Tcl.
        (scratch / CHECKPOINT).symlink_to(checkpoint.resolve())
        (scratch / "write.tcl").write_text(_WRITE)
        _run(setup, scratch, "write.tcl", log=log)
        settle(scratch / "chip.bit", out, part=setup.part, design=design, size=size)


def settle(raw: Path, out: Path, *, part: str, design: str, size: int) -> None:
    """Check a .bit file of Vivado's and write it without the time of day.

    Vivado's header has the part without its family's letters and speed grade: 7z020clg400.
    size: bytes of configuration data. Raises ToolError for a file of another part or size.
    """
    bits = bitfile.read(raw)
    if bits.part != part.removeprefix("xc").partition("-")[0]:
        raise ToolError(f"{raw} is for {bits.part}, not {part}")
    if len(bits.data) != size:
        raise ToolError(f"{raw} has {len(bits.data):,} bytes of configuration, not {size:,}")
    replace(bits, design=design, part=part, date="1970/01/01", time="00:00:00").write(out)


def _run(setup: Setup, folder: Path, script: str, *arguments: str, log: Path) -> str:
    how = ("-mode", "batch", "-nolog", "-nojournal", "-notrace", "-source", script)
    more = ("-tclargs", *arguments) if arguments else ()
    return tools.run([setup.program, *how, *more], cwd=folder, log=log)
