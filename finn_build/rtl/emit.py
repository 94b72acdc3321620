"""Write the accelerator: top.sv, memory images and the file list.

The modules of rtl_templates are copied as they are; only the top level is generated.
"""

import json
from dataclasses import asdict
from importlib import resources
from pathlib import Path

from finn_build.rtl.design import Design
from finn_build.system.templates import environment

TOP = Path(__file__).with_name("top.sv.j2")
CONSTANT = Path(__file__).with_name("constant_weights.sv.j2")
# Areas with the modules of accelerators; axi and vendor are for the chip around them.
AREAS = ("axis", "mem", "nn")


def templates(*areas: str, suffix: str = ".sv") -> list[Path]:
    """Files of the library's areas, sorted by name; without areas, those of the accelerator."""
    root = Path(str(resources.files("rtl_templates")))
    folders = [root / area for area in areas or AREAS]
    return sorted(
        (path for folder in folders for path in folder.glob(f"*{suffix}")), key=lambda p: p.name
    )


def write(design: Design, folder: Path) -> list[Path]:
    """Write the design into an empty folder. Returns the files.

    These are top.sv, the modules that it needs, *.hex memory images (one word a line), files.f with
    the sources in order (modules.f is the same without top), and instances.json with modules and
    parameters.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []

    def put(name: str, text: str) -> None:
        (folder / name).write_text(text)
        written.append(folder / name)

    sources = []
    for template in templates():
        put(template.name, template.read_text())
        sources.append(template.name)
    render = environment(TOP.parent)
    for module, values in design.constant.items():
        put(f"{module}.sv", render.get_template(CONSTANT.name).render(u=values))
        sources.append(f"{module}.sv")
    put("top.sv", render.get_template(TOP.name).render(design=design))
    put("modules.f", "\n".join(sources) + "\n")
    put("files.f", "-f modules.f\ntop.sv\n")
    put("instances.json", json.dumps([asdict(i) for i in design.instances], indent=2) + "\n")
    for name, text in design.images.items():
        put(name, text)
    return written
