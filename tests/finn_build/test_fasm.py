"""What a FASM file has of a netlist's memories and DSPs, on files that lost something."""

import pytest

from finn_build.backends.openxc7 import fasm
from finn_build.errors import ToolError


def block(kind, **parameters):
    return {"type": kind, "parameters": parameters, "connections": {}}


# Contents of a RAMB36 go to its halves in turns: bits 0 and 3 of INIT_00, bit 1 of INITP_01.
BLOCK = block("RAMB36E1", INIT_00=f"{9:0256b}", INITP_01=f"{2:0256b}", READ_WIDTH_A=f"{72:032b}")
BLOCK_FASM = [
    *(f"BRAM_L_X6Y5.RAMB18_Y{half}.IN_USE" for half in (0, 1)),
    f"BRAM_L_X6Y5.RAMB18_Y0.INIT_00[255:0] = 256'b{1:0256b}",
    f"BRAM_L_X6Y5.RAMB18_Y1.INIT_00[255:0] = 256'b{2:0256b}",
    f"BRAM_L_X6Y5.RAMB18_Y1.INITP_00[255:0] = 256'b{1 << 128:0256b}",
]
SMALL = block("RAMB18E1", INIT_3F=f"{5:0256b}", READ_WIDTH_A=f"{9:032b}")
SMALL_FASM = [
    "BRAM_R_X9Y5.RAMB18_Y1.IN_USE",
    f"BRAM_R_X9Y5.RAMB18_Y1.INIT_3F[255:0] = 256'b{5:0256b}",
]
LUTRAM = block("RAM32M", INIT_A=f"{6:064b}", INIT_B=f"{0:064b}")
LUTRAM_FASM = [
    f"CLBLM_L_X4Y8.SLICEM_X0.ALUT.INIT[63:0] = 64'b{6:064b}",
    "CLBLM_L_X4Y8.SLICEM_X0.ALUT.RAM",
    f"CLBLM_L_X4Y8.SLICEM_X0.BLUT.INIT[63:0] = 64'b{63:064b}",
]
# OPMODE 5, ALUMODE 0, INMODE 2: what is not straight is an inverted 1.
DSP = block("DSP48E1") | {
    "connections": {"OPMODE": [*"1010000"], "ALUMODE": [*"0000"], "INMODE": [*"01000"]}
}
DSP_FASM = [
    "DSP_R_X25Y80.DSP48.DSP_1.AREG_2",
    "DSP_R_X25Y80.DSP48.DSP_1.ZIS_OPMODE_INVERTED[0]",
    "DSP_R_X25Y80.DSP48.DSP_1.ZIS_OPMODE_INVERTED[2]",
    "DSP_R_X25Y80.DSP48.DSP_1.ZIS_INMODE_INVERTED[0]",
    "DSP_R_X25Y80.DSP48.DSP_1.ZIS_INMODE_INVERTED[1]",
    "DSP_R_X25Y80.DSP_1_INMODE0.DSP_GND_R",
]
CELLS = {"weights": BLOCK, "table": SMALL, "lines": LUTRAM, "product": DSP}
LINES = [*BLOCK_FASM, *SMALL_FASM, *LUTRAM_FASM, *DSP_FASM]


def test_the_fasm_of_the_design_passes(tmp_path):
    path = tmp_path / "a.fasm"
    path.write_text("\n".join(LINES) + "\n")
    fasm.check(CELLS, path)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (BLOCK_FASM[2], "contents of 1 halves of block RAM are lost .weights."),
        (BLOCK_FASM[4], "contents of 1 halves of block RAM are lost .weights."),
        (SMALL_FASM[1], "contents of 1 halves of block RAM are lost .table."),
        (LUTRAM_FASM[0], "contents of LUTRAM are lost .lines."),
        (LUTRAM_FASM[1], "contents of LUTRAM are lost .lines."),
        (DSP_FASM[1], "1 DSPs do not have their constants"),
        (DSP_FASM[5], "1 DSPs do not have their constants"),
    ],
)
def test_whatever_the_fasm_loses_is_found(tmp_path, lost, message):
    path = tmp_path / "a.fasm"
    path.write_text("\n".join(line for line in LINES if line != lost) + "\n")
    with pytest.raises(ToolError, match=message):
        fasm.check(CELLS, path)


@pytest.mark.parametrize(
    ("cells", "lines", "message"),
    [
        ({"u": block("FDRE")}, [], "it is empty"),
        ({"u": BLOCK | {"parameters": {"READ_WIDTH_B": "1001"}}}, BLOCK_FASM, "port of 9 bits"),
        ({"u": BLOCK | {"parameters": {"WRITE_WIDTH_A": "1"}}}, BLOCK_FASM, "port of 1 bits"),
    ],
)
def test_what_is_known_to_come_out_wrong_is_refused(tmp_path, cells, lines, message):
    path = tmp_path / "a.fasm"
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(ToolError, match=message):
        fasm.check(cells, path)
