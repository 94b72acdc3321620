"""Say how a bitstream would be made; places and routes nothing yet."""

from pathlib import Path

from finn_build.backends.bitstream import choose
from finn_build.files import save_json
from finn_build.pipeline import Build


def run(build: Build, out: Path) -> str:
    """Leave result.json in `out`: report.json's `bitstream`."""
    choice = choose(build.options.tool)
    save_json(out / "result.json", {"path": None, "reason": choice.reason})
    return f"none: {choice.reason}"
