"""Choose the tool for the bitstream among those on this machine."""

from dataclasses import dataclass

from finn_build.backends import finn, openxc7, vivado
from finn_build.config import Options
from finn_build.errors import ConfigError, ToolError


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The tool for the last steps, or None; the budget that counts; why there is no bitstream."""

    tool: str | None
    share: str
    reason: str


def choose(options: Options) -> Choice:
    """Pick the tool: what `--tool` says, or Vivado, or the open tools where they are there.

    Vivado's budget counts where there is nothing. A tool that was asked for by name and is not
    there is an error when its turn comes. Raises ConfigError for what the tool does not have:
    seeds, or FINN's shell for the board.
    """
    tool, reason = (None, "no bitstream was asked for (--tool none)")
    if options.tool == "auto":
        tool, reason = _found(options)
    elif options.tool != "none":
        tool, reason = options.tool, ""
    if options.seeds > 1 and tool in ("vivado", "finn"):
        raise ConfigError(
            f"--seeds {options.seeds}: {tool} has none; use --tool openxc7, or leave it"
        )
    if tool == "finn" and options.board not in finn.BOARDS:
        raise ConfigError(
            f"--tool finn: FINN has no {options.board}; use {' or '.join(finn.BOARDS)}"
        )
    share = "openxc7" if tool == "openxc7" else "vivado"
    return Choice(tool=tool, share=share, reason=reason)


def _found(options: Options) -> tuple[str | None, str]:
    lacking = []
    for tool, look in (("vivado", vendor_tool), ("openxc7", open_tools)):
        try:
            look(options)
        except ToolError as error:
            lacking.append(str(error))
        else:
            return tool, ""
    return None, f"no tool for it: {'; '.join(lacking)}"


def vendor_tool(options: Options) -> vivado.Setup:
    """Vivado for a build. Raises ToolError that says what to install."""
    return vivado.find(options.target.part, folder=options.vivado)


def open_tools(options: Options) -> openxc7.Setup:
    """The open tools for a build. Raises ToolError that lists what is missing."""
    return openxc7.find(options.target.part, chipdb=options.chipdb, prjxray_db=options.prjxray_db)
