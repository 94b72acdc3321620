"""Write the chip around the accelerator: chip.sv, the register block and its table."""

import hashlib
from pathlib import Path

from finn_build.network.graph import Network
from finn_build.rtl import emit, registers
from finn_build.rtl.design import Design
from finn_build.system.templates import environment

AREAS = ("axi", "vendor")
CHIP = Path(__file__).with_name("chip.sv.j2")


def model_hash(path: Path) -> str:
    """The 128 bits, as 32 hex digits, by which driver and chip recognise a stored network."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


def write(design: Design, network: Network, hash_digits: str, folder: Path) -> None:
    """Add the chip to a folder that `emit.write` filled.

    The chip is: chip.sv with module chip, which has no ports; the modules around the accelerator;
    chip.f, which lists all sources for synthesis in order (the primitives PS7 and BUFG come from
    the tool); sim.f, which adds models of these primitives; and registers.json, the register map
    for the driver.
    """
    render = environment(CHIP.parent).get_template(CHIP.name)
    text = render.render(
        design=design,
        frame_bytes=network.height * network.width * network.channels,
        result_words=network.end.words,
        model_hash=hash_digits,
    )
    (folder / "chip.sv").write_text(text)
    registers.write_table(folder / "registers.json")
    sources = registers.write(folder)
    primitives: list[str] = []
    for names, suffix in ((sources, ".sv"), (primitives, ".v")):
        for template in emit.templates(*AREAS, suffix=suffix):
            (folder / template.name).write_text(template.read_text())
            names.append(template.name)
    (folder / "chip.f").write_text("\n".join([*sources, "-f files.f", "chip.sv"]) + "\n")
    (folder / "sim.f").write_text("\n".join([*primitives, "-f chip.f"]) + "\n")
