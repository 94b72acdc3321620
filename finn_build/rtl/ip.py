"""Write the accelerator as a block for other people's designs.

A Verilog wrapper with the ports of AXI-Stream by Xilinx' names, which Vivado's block designer takes
as a module reference, and a core file for FuseSoC (CAPI2).
"""

from pathlib import Path

from finn_build.rtl import emit
from finn_build.rtl.design import Design
from finn_build.rtl.emitted import sources
from finn_build.system.templates import environment

WRAPPER, CORE = "ip.v.j2", "ip.core.j2"


def write(design: Design, folder: Path) -> list[Path]:
    """Write the block with all its sources and memory images into an empty folder.

    Beside what `emit.write` leaves, that is headrace_NAME.v, the wrapper, and headrace_NAME.core.
    Returns the files.
    """
    files = emit.write(design, folder)
    block = f"headrace_{design.name}"
    wrapper, core = folder / f"{block}.v", folder / f"{block}.core"
    render = environment(Path(__file__).parent)
    wrapper.write_text(render.get_template(WRAPPER).render(design=design))
    core.write_text(
        render.get_template(CORE).render(
            design=design,
            name=f"headrace:accelerators:{design.name}",
            sources=sources(folder, "files.f"),
            wrapper=wrapper.name,
            memories=[path.name for path in files if path.suffix == ".hex"],
        )
    )
    return [*files, wrapper, core]
