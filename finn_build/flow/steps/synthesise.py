"""Synthesise for the chip with Yosys and hold the counts against the board."""

from dataclasses import asdict
from pathlib import Path

from finn_build.backends import yosys
from finn_build.backends.kept import Kept
from finn_build.boards import Resources
from finn_build.errors import FoldingError
from finn_build.flow.pipeline import Build
from finn_build.folding.folding import fits, shortfall
from finn_build.rtl.emitted import read_instances
from finn_build.system.files import load_json, save_json, user_cache


def run(build: Build, out: Path) -> str:
    """Leave result.json (counts of the whole and of each module of top) in `out`.

    Raises FoldingError if the design is larger than the chip.
    """
    board = build.options.target
    rtl = build.path("emit")
    parts = yosys.synthesise(
        rtl,
        read_instances(rtl),
        out,
        log=build.log("yosys"),
        kept=Kept(user_cache() / "synthesis"),
        tick=build.tick,
    )
    whole = yosys.total(parts)
    used = Resources(lut=whole.lut, ff=whole.ff, bram36=whole.bram36, dsp=whole.dsp)
    if not fits(used, board.chip):
        raise FoldingError(
            f"{board.title} is too small: {shortfall(used, board.chip)}; use --target-fps to ask "
            "for less, or a smaller model"
        )
    result = {"whole": asdict(whole), "modules": {k: asdict(v) for k, v in parts.items()}}
    save_json(out / "result.json", result)
    estimate = load_json(build.path("fold", "costs.json"))["estimate"]["lut"]
    return (
        f"{whole.lut:,} of {board.chip.lut:,} LUTs ({100 * whole.lut / board.chip.lut:.0f} %; "
        f"estimated {estimate:,}), {whole.ff:,} FFs, {whole.bram36:g} of {board.chip.bram36:g} "
        f"BRAM36, {whole.dsp} DSPs; at most {whole.lut_levels} LUTs and {whole.carry_chains} carry "
        "chains between registers"
    )
