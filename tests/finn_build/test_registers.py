import json
from pathlib import Path

from finn_build.rtl import registers

REPO = Path(__file__).parents[2]


def test_the_documentation_is_up_to_date():
    page = (REPO / "docs" / "registers.md").read_text()
    assert page == registers.markdown(), "run ./build.sh registers"


def test_registers_and_fields_do_not_overlap():
    words = [r.offset + 4 * i for r in registers.registers() for i in range(r.count)]
    assert words == list(range(0, 4 * len(words), 4)), "a gap, or two registers in one place"
    for register in registers.registers():
        bits = [f.low + i for f in register.fields for i in range(f.width)]
        assert len(bits) == len(set(bits)) and max(bits) < 32, register.name


def test_the_drivers_table_is_what_the_source_says(tmp_path):
    registers.write_table(tmp_path / "registers.json")
    table = json.loads((tmp_path / "registers.json").read_text())
    assert table["hash"] == {
        "offset": 0x10,
        "count": 4,
        "fields": {"value": {"low": 0, "width": 32, "access": "r"}},
    }
    assert table["source"]["fields"] == {"address": {"low": 3, "width": 29, "access": "rw"}}
    assert table["errors"]["fields"]["refused"] == {"low": 4, "width": 1, "access": "rw1c"}
    assert table["control"]["fields"]["start"]["access"] == "w"


def test_the_same_source_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        assert registers.write(tmp_path / name) == list(registers.MODULES)
    for name in registers.MODULES:
        text = (tmp_path / "a" / name).read_text()
        assert text == (tmp_path / "b" / name).read_text()
        assert str(tmp_path) not in text and text.startswith("// verilator lint_off")
