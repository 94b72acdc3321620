"""Stands in for the open tools: checks what it is asked and leaves what the real ones would.

Called as one of them. A file plan.json beside it may hold {"nextpnr": text of a failure's log,
"signal": how it ends, "mhz": by seed, "fasm": lines, "frames": text, "bytes": of configuration,
"python": false for a nextpnr without it}.
"""

import json
import os
import re
import struct
import sys
from pathlib import Path

ME = Path(sys.argv[0])
PLAN = json.loads((ME.parent / "plan.json").read_text())
WORDS = "0x00000001," + ",".join(["0x00000000"] * 100)


def value(name: str) -> str:
    """What follows an option, which must be there once."""
    assert sys.argv.count(name) == 1, (name, sys.argv)
    return sys.argv[sys.argv.index(name) + 1]


def nextpnr() -> None:
    if sys.argv[1:] == ["--version"]:
        print(f'"{ME.name}" -- Next Generation Place and Route (Version 0.11)', file=sys.stderr)
        return
    if sys.argv[1:] == ["--help"]:
        print("  --pre-place arg  python file to run before placement" * PLAN.get("python", True))
        return
    said = " ".join(sys.argv)
    if ME.name == "nextpnr-himbaechel":
        assert value("--device") == "xc7z020clg400-1" and value("--placer") == "static"
        xdc = re.search(r" xdc=(\S+)", said)[1]
    else:
        assert "--device" not in sys.argv and value("--chipdb").endswith("xc7z020clg400.bin")
        xdc = value("--xdc")
    assert "--timing-allow-fail" in sys.argv and Path(xdc).is_file() and float(value("--freq"))
    top = json.loads(Path(value("--json")).read_text())["modules"]["chip"]
    if "--pack-only" in sys.argv:
        return
    scripted = ME.name == "nextpnr-himbaechel" and PLAN.get("python", True)
    assert scripted == ("--pre-place" in sys.argv)
    if "--no-route" in sys.argv:
        assert Path(value("--pre-place")).name == "floorplan.py" and "fasm" not in said
        bel = {"attributes": {"NEXTPNR_BEL": "X3Y4/SLICE_X0Y0.AFF"}, "type": "SLICE_FFX"}
        cell = {**bel, "port_directions": {"Q": "output"}, "connections": {"Q": [1]}}
        Path(value("--write")).write_text(json.dumps({"modules": {"top": {"cells": {"ff": cell}}}}))
        return
    if scripted:
        assert "ctx.cells['ff'].setAttr(\"BEL\"" in Path(value("--pre-place")).read_text()
    fasm = re.search(r" fasm=(\S+)", said)[1] if " fasm=" in said else value("--fasm")
    if "nextpnr" in PLAN:
        print(PLAN["nextpnr"], file=sys.stderr)
        if "signal" in PLAN:
            os.kill(os.getpid(), PLAN["signal"])
        sys.exit(1)
    cell = next(name for name, each in top["cells"].items() if each["type"] == "FDRE")
    mhz = PLAN["mhz"].get(value("--seed"), 100.0)
    ends = {"from": {"cell": cell, "port": "Q"}, "to": {"cell": cell, "port": "D"}}
    path = [
        {"delay": 0.5, "type": "clk-to-q", **ends},
        {"delay": 1000 / mhz - 0.6, "type": "routing", "net": "top_i.conv1_i.sum_q[1]", **ends},
        {"delay": 0.1, "type": "setup", **ends},
    ]
    report = {
        "utilization": {"SLICE_LUTX": {"used": 5, "available": 106400}},
        "fmax": {"clk": {"achieved": mhz, "constraint": 125}},
        "critical_paths": [{"from": "posedge clk", "to": "posedge clk", "path": path}],
    }
    Path(value("--report")).write_text(json.dumps(report))
    Path(fasm).write_text("\n".join(PLAN["fasm"]) + "\n")


def fasm2frames() -> None:
    assert value("--part") == "xc7z020clg400-1"
    assert (Path(value("--db-root")) / value("--part") / "part.json").is_file()
    fasm, frames = sys.argv[-2:]
    assert Path(fasm).is_file()
    Path(frames).write_text(PLAN.get("frames", f"0x00000000 {WORDS}\n"))


def xc7frames2bit() -> None:
    assert Path(value("--part_file")).name == "part.yaml" and Path(value("--frm_file")).is_file()
    data = bytearray(PLAN.get("bytes", 4_045_564))
    data[48:56] = bytes([0xAA, 0x99, 0x55, 0x66, 0, 0, 0, 1])
    texts = ("x.frames;Generator=xc7frames2bit", value("--part_name"), "2026/11/23", "18:59:19")
    fields = b"".join(
        struct.pack(">cH", key, len(text) + 1) + text.encode() + b"\0"
        for key, text in zip((b"a", b"b", b"c", b"d"), texts, strict=True)
    )
    start = bytes.fromhex("00090ff00ff00ff00ff0000001")
    whole = start + fields + struct.pack(">cI", b"e", len(data)) + data
    Path(value("--output_file")).write_bytes(whole)


if __name__ == "__main__":
    {"fasm2frames": fasm2frames, "xc7frames2bit": xc7frames2bit}.get(ME.name, nextpnr)()
