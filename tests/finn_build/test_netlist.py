"""The synthesised accelerator computes what the golden model does."""

import re
import subprocess
import sys
from dataclasses import replace

import models
import numpy as np
import pytest

from finn_build.backends import cells, verilator, yosys
from finn_build.cli import DEFAULT_MODEL
from finn_build.errors import MismatchError
from finn_build.flow.steps.simulate import check
from finn_build.folding.fold import Fold
from finn_build.folding.folding import make
from finn_build.network import golden
from finn_build.rtl import accelerator, emit
from finn_build.rtl.emitted import read_instances
from finn_build.system.files import load_json

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 2)).astype(np.uint8)


def synthesised(folder, network, folds):
    folder.mkdir()
    (folder / "parts").mkdir()
    emit.write(accelerator.design(network, make(network, folds)), folder / "rtl")
    yosys.synthesise(
        folder / "rtl", read_instances(folder / "rtl"), folder / "parts", log=folder / "yosys.log"
    )


def ran(folder, network, *, stall):
    program = cells.build(
        folder / "rtl",
        folder / "parts",
        folder,
        input_bytes=network.input_bytes,
        log=folder / "netlist.log",
    )
    return verilator.run(
        program,
        folder,
        IMAGES,
        end=network.end,
        limit=20_000,
        scratch=folder,
        log=folder / "simulation.log",
        stall=stall,
    )


def one_word():
    """A network whose logits are all negative, and whose thresholds are one word of a ROM."""
    network = models.hand_made()
    window, conv, pool, last, end = network.layers
    low = replace(last, bias=last.bias - 200)
    return replace(network, layers=(window, conv, pool, low, replace(end, bits=low.acc_bits)))


CASES = {
    "block": {
        "conv0": Fold(pe=2, simd=18, memory="block", lines="block"),
        "dense0": Fold(pe=1, simd=2, memory="block"),
    },
    "constant": {
        "conv0": Fold(pe=4, simd=18, memory="constant", slice_bits=4),
        "dense0": Fold(pe=6, simd=16, memory="logic"),
    },
    "dsp": {
        "conv0": Fold(pe=4, simd=18, memory="logic"),
        "dense0": Fold(pe=6, simd=8, memory="logic", dsp=True),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_netlist_gives_what_the_golden_model_gives(name, tmp_path):
    network, folder = one_word(), tmp_path / "made"
    synthesised(folder, network, CASES[name])
    expected = golden.run(network, IMAGES)
    assert expected.logits.max() < 0
    check(ran(folder, network, stall=96), expected, "with stalls", what="netlist")
    used = (folder / "netlist.v").read_text()
    assert ("DSP48E1" in used) == (name == "dsp")
    assert bool(re.search(r"\bRAMB(18|36)E1 ", used)) == (name == "block")
    if name != "constant":
        return
    invert(next((folder / "parts").glob("nn_compressor_*.il")))
    with pytest.raises(MismatchError, match=r"netlist and golden model differ on \d of 8 frames"):
        check(ran(folder, network, stall=0), expected, "at full rate", what="netlist")


@pytest.mark.slow
def test_the_default_models_netlist_gives_what_the_golden_model_gives(tmp_path):
    """Of a slow folding, which is soon mapped: the same modules, images and negative logits."""
    command = [sys.executable, "-m", "headrace", "pynq-z2", "--target-fps", "1000"]
    done = subprocess.run(
        [*command, "--netlist-images", "2", "--to", "netlist"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = load_json(tmp_path / "build" / "pynq-z2" / DEFAULT_MODEL / "netlist" / "result.json")
    assert (made["images"], made["mismatches"]) == (2, 0)


def invert(netlist):
    """Turn every bit of its tables of six inputs, as a fault of synthesis might."""
    text, turned = netlist.read_text(), str.maketrans("01", "10")
    made = re.sub(r"(?<=\\INIT 64')[01x]{64}", lambda table: table[0].translate(turned), text)
    assert made != text
    netlist.write_text(made)
