"""The chip's registers, from rtl_templates/axi/axi_regs.rdl: modules, offsets, documentation."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

from peakrdl_regblock import RegblockExporter
from peakrdl_regblock.cpuif.axi4lite import AXI4Lite_Cpuif_flattened
from peakrdl_regblock.udps import ALL_UDPS
from systemrdl.compiler import RDLCompiler
from systemrdl.node import AddrmapNode, FieldNode, RegNode

from finn_build.system.files import save_json

SOURCE = Path(str(resources.files("rtl_templates"))) / "axi" / "axi_regs.rdl"
MODULES = ("axi_regs_pkg.sv", "axi_regs.sv")
# Verilator's rules that PeakRDL's modules break: several processes fill one structure, and this
# register map does not need some bits of the bus and some parameters.
_WAIVED = ("MULTIDRIVEN", "UNUSEDSIGNAL", "UNUSEDPARAM")


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits of a register; access: r, w, rw, or rw1c where writing 1 clears."""

    name: str
    low: int
    width: int
    access: str
    reset: int | None
    text: str


@dataclass(frozen=True, kw_only=True)
class Register:
    """A 32-bit register at a byte offset, or `count` of them in a row from there."""

    name: str
    offset: int
    count: int
    text: str
    fields: tuple[Field, ...]


def _compiled() -> AddrmapNode:
    compiler = RDLCompiler()
    for udp in ALL_UDPS:
        compiler.register_udp(udp)
    compiler.compile_file(str(SOURCE))
    return compiler.elaborate().top


def registers() -> tuple[Register, ...]:
    """The register map, by offset."""
    return tuple(_registers(_compiled()))


def _registers(top: AddrmapNode) -> Iterator[Register]:
    for node in top.children():
        assert isinstance(node, RegNode)
        yield Register(
            name=node.inst_name,
            offset=node.raw_address_offset,
            count=node.array_dimensions[0] if node.array_dimensions else 1,
            text=_text(node),
            fields=tuple(_field(field) for field in node.fields()),
        )


def _field(node: FieldNode) -> Field:
    access = node.get_property("sw").name
    reset = node.get_property("reset")
    return Field(
        name=node.inst_name,
        low=node.low,
        width=node.width,
        access=f"{access}1c" if node.get_property("onwrite") else access,
        reset=reset if isinstance(reset, int) else None,
        text=_text(node),
    )


def _text(node: AddrmapNode | RegNode | FieldNode) -> str:
    return " ".join((node.get_property("desc") or "").split())


def write(folder: Path) -> list[str]:
    """Write the AXI4-Lite register block into a folder. Returns the files, in order of reading.

    They hold no name of this machine and no time, and they waive Verilator's rules that they break.
    """
    RegblockExporter().export(
        _compiled(),
        str(folder),
        cpuif_cls=AXI4Lite_Cpuif_flattened,
        default_reset_activelow=True,
        # A register in the read multiplexer leaves four levels of LUTs instead of six.
        retime_read_fanin=True,
    )
    for name in MODULES:
        path = folder / name
        off, on = ("".join(f"// verilator lint_{s} {w}\n" for w in _WAIVED) for s in ("off", "on"))
        path.write_text(f"{off}{path.read_text().rstrip()}\n{on}")
    return list(MODULES)


def write_table(path: Path) -> None:
    """Write the register map as JSON for the driver: {name: {offset, count, fields: {name: ...}}}.

    A field has its lowest bit, width and access.
    """
    table = {}
    for register in registers():
        fields = {
            field.name: {k: v for k, v in asdict(field).items() if k in ("low", "width", "access")}
            for field in register.fields
        }
        table[register.name] = {
            "offset": register.offset,
            "count": register.count,
            "fields": fields,
        }
    save_json(path, table)


def markdown() -> str:
    """The register map as a page of documentation."""
    top = _compiled()
    lines = [
        f"# {top.get_property('name')}",
        "",
        _text(top),
        "",
        "Access: r read, w write, rw both, rw1c read and clear by writing 1. Bits that are not "
        "listed read as zero.",
        "",
        "| offset | register | bits | field | access | reset | meaning |",
        "|---|---|---|---|---|---|---|",
    ]
    for register in _registers(top):
        name, offset = register.name, f"0x{register.offset:02x}"
        if register.count > 1:
            name = f"{name}[{register.count}]"
            offset += f" to 0x{register.offset + 4 * (register.count - 1):02x}"
        lines.append(f"| {offset} | {name} | | | | | {register.text} |")
        for field in register.fields:
            high = field.low + field.width - 1
            bits = f"{high}:{field.low}" if field.width > 1 else f"{field.low}"
            reset = "" if field.reset is None else f"0x{field.reset:x}"
            cells = (bits, field.name, field.access, reset, field.text)
            lines.append(f"| | | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "Written by `./build.sh registers`.", ""])
