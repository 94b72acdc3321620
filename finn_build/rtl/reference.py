"""The reference of the RTL modules, made from the comment and declaration at each one's head."""

import re
from dataclasses import dataclass
from pathlib import Path

from finn_build.rtl import emit

AREAS = {
    "nn": "Layers of a network",
    "axis": "Cells of streams",
    "mem": "Memory",
    "axi": "The chip around an accelerator",
    "vendor": "Zynq's own parts",
}
_PARAMETER = re.compile(r"^\s*(parameter|localparam)\s+(.*?)\s*(\w+)\s*=\s*(.+?),?\s*$", re.M)
_PORT = re.compile(r"^\s*(input|output|inout)\s+(?:wire|logic)\s*(\[[^\]]*\])?\s*(\w+),?\s*$", re.M)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter: its type, its name, and its default value."""

    kind: str
    name: str
    default: str


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port: input or output, its bits as written, or "" for one bit."""

    direction: str
    name: str
    bits: str


@dataclass(frozen=True, kw_only=True)
class Module:
    """A module: a sentence on what it is, the rest of its head as written, its declaration."""

    name: str
    area: str
    summary: str
    text: str
    parameters: tuple[Parameter, ...]
    ports: tuple[Port, ...]


def read(path: Path) -> Module:
    """Read a module's head. A module without one is our bug, hence the assertions."""
    source = path.read_text()
    head = source.split("`default_nettype", 1)[0].splitlines()
    lines = [line.removeprefix("//").removeprefix(" ") for line in head]
    first = f"{path.stem} - "
    assert lines and lines[0].startswith(first), f"{path}: its first line is not // {first}..."
    # The sentence goes on in the lines that are indented under it.
    until = next((i for i, t in enumerate(lines[1:], 1) if not t.startswith(12 * " ")), len(lines))
    summary = " ".join(line.strip() for line in lines[:until]).removeprefix(first)
    declared = re.search(rf"^module {path.stem}\b(.*?)\n?\);", source, re.M | re.S)
    assert declared is not None, f"{path}: no module {path.stem}"
    return Module(
        name=path.stem,
        area=path.parent.name,
        summary=summary,
        text="\n".join(lines[until:]).strip("\n"),
        parameters=tuple(
            Parameter(kind=" ".join(kind.split()), name=name, default=default)
            for word, kind, name, default in _PARAMETER.findall(declared[1])
            if word == "parameter"
        ),
        ports=tuple(
            Port(direction=direction, name=name, bits=bits)
            for direction, bits, name in _PORT.findall(declared[1])
        ),
    )


def modules() -> list[Module]:
    """All modules of the library, area by area."""
    return [read(path) for area in AREAS for path in emit.templates(area)]


def markdown() -> str:
    """The reference as a page of documentation."""
    documented = modules()
    lines = [
        "# RTL reference",
        "",
        "The modules of `rtl_templates/`, each in a file of its own name. Streams are ready/valid "
        "(`tvalid` holds until `tready`); element 0 stands in the least significant bits. A "
        "parameter that a module cannot have stops its elaboration with a message. What "
        "`nn_window` and the others compute is defined by `finn_build/network/golden.py`.",
        "",
    ]
    for area, title in AREAS.items():
        lines += [f"- {title}: " + ", ".join(
            f"[{m.name}](#{m.name})" for m in documented if m.area == area
        )]  # fmt: skip
    for area, title in AREAS.items():
        lines += ["", f"## {title}"]
        for module in (m for m in documented if m.area == area):
            lines += ["", *_section(module)]
    return "\n".join([*lines, "", "Written by `./build.sh reference`.", ""])


def _section(module: Module) -> list[str]:
    summary = module.summary[0].upper() + module.summary[1:]
    lines = [f"### {module.name}", "", summary, ""]
    if module.text:
        lines += ["```text", module.text, "```", ""]
    if module.parameters:
        lines += ["| parameter | type | default |", "|---|---|---|"]
        lines += [f"| `{p.name}` | {p.kind} | `{p.default}` |" for p in module.parameters]
        lines += [""]
    for direction, word in (("input", "In"), ("output", "Out"), ("inout", "Both ways")):
        names = [f"`{p.name}{p.bits}`" for p in module.ports if p.direction == direction]
        if names:
            lines += [f"{word}: {', '.join(names)}", ""]
    return lines[:-1]
