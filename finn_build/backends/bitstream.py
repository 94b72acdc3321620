"""Choose the tool for the bitstream among those on this machine."""

import shutil
from dataclasses import dataclass

from finn_build.backends import openxc7
from finn_build.config import Options
from finn_build.errors import ToolError

UNBUILT = "this version stops before place and route for it: emit/chip.f lists the sources"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The tool for the last steps, or None; the budget that counts; why there is no bitstream."""

    tool: str | None
    share: str
    reason: str


def choose(options: Options) -> Choice:
    """Pick the tool: what `--tool` says, or what is there; Vivado's budget where nothing is.

    A tool that was asked for by name and is not there is an error when its turn comes.
    """
    if options.tool == "none":
        return Choice(tool=None, share="vivado", reason="no bitstream was asked for (--tool none)")
    if options.tool != "auto":
        share = "openxc7" if options.tool == "openxc7" else "vivado"
        return Choice(tool=options.tool, share=share, reason="")
    try:
        open_tools(options)
    except ToolError as error:
        if shutil.which("vivado"):
            return Choice(tool=None, share="vivado", reason=f"vivado was found, but {UNBUILT}")
        reason = f"no tool for it: vivado is not on PATH; {error}"
        return Choice(tool=None, share="vivado", reason=reason)
    return Choice(tool="openxc7", share="openxc7", reason="")


def open_tools(options: Options) -> openxc7.Setup:
    """The open tools for a build. Raises ToolError that lists what is missing."""
    return openxc7.find(options.target.part, chipdb=options.chipdb, prjxray_db=options.prjxray_db)
