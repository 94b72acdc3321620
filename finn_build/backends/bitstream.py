"""Which tools on this machine could make a bitstream."""

import shutil
from dataclasses import dataclass

from finn_build.errors import ToolError

OPEN = ("nextpnr-himbaechel", "nextpnr-xilinx")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The tool for the last step, or None; the budget that counts; why there is no bitstream."""

    tool: str | None
    share: str
    reason: str


def found() -> dict[str, str | None]:
    """Path of each tool that places and routes, or None."""
    names = ("vivado", *OPEN, "fasm2frames", "xc7frames2bit")
    return {name: shutil.which(name) for name in names}


def choose(tool: str) -> Choice:
    """Pick the tool: what `--tool` says, or what is there; Vivado's budget where nothing is.

    Raises ToolError where a tool was asked for by name and is not on PATH.
    """
    present = found()
    has_open = any(present[name] for name in OPEN)
    has_vivado = present["vivado"] is not None
    if tool == "none":
        return Choice(tool=None, share="vivado", reason="no bitstream was asked for (--tool none)")
    if tool == "openxc7" and not has_open:
        raise ToolError(f"--tool openxc7: neither {' nor '.join(OPEN)} is on PATH")
    if tool in ("vivado", "finn") and not has_vivado:
        raise ToolError(f"--tool {tool}: vivado is not on PATH; use --tool auto or none")
    if tool == "auto" and not has_open and not has_vivado:
        reason = (
            "no tool on PATH: a bitstream takes Vivado (vivado), or the open tools: "
            f"{' or '.join(OPEN)}, fasm2frames and xc7frames2bit with Project X-Ray's database"
        )
        return Choice(tool=None, share="vivado", reason=reason)
    picked = ("openxc7" if has_open else "vivado") if tool == "auto" else tool
    return Choice(
        tool=picked,
        share="openxc7" if picked == "openxc7" else "vivado",
        reason=f"{picked} was found, but this version stops before place and route: emit/files.f "
        "lists the sources for it",
    )
