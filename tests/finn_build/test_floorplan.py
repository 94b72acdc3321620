"""Block RAMs of a chip beside the logic of their layers."""

import re
from types import SimpleNamespace

from open_chip import FABRIC

from finn_build.backends.openxc7 import floorplan
from finn_build.system.files import save_json


def test_block_rams_stand_where_their_layers_do(tmp_path):
    kinds = {"conv0": ("LUT6", 500), "conv1": ("RAMB36E1", 4), "pool0": ("LUT3", 250)}
    kinds |= {"conv2": ("RAMB18E1", 5), "dense0": ("RAMB36E1", 5)}
    cells = {
        f"$flatten\\top_i.\\{layer}_i.mem.{n}": {"type": kind}
        for layer, (kind, count) in kinds.items()
        for n in range(count)
    } | {"zynq_i.u_dma.mem.0": {"type": "RAMB36E1"}}
    save_json(tmp_path / "tilegrid.json", FABRIC)
    bound = []

    context = SimpleNamespace(
        cells={
            name: SimpleNamespace(
                setAttr=lambda key, bel, cell=name: bound.append((bel, cell, key))
            )
            for name in cells
        }
    )
    made = floorplan.script(cells, list(kinds), tmp_path / "tilegrid.json")
    exec(made, {"ctx": context})
    tiles = {}
    for bel, cell, key in bound:
        assert key == "BEL"
        x, y, site, kind = re.fullmatch(r"X(\d+)Y(\d+)/(\w+)\.(\w+)", bel).groups()
        assert kind == cells[cell]["type"] and f"BRAM_L_{x}_{y}" in FABRIC
        tiles.setdefault((int(x), int(y)), []).append((site, cell))
    rams = [name for name, cell in cells.items() if cell["type"].startswith("RAMB")]
    assert sorted(cell for _, cell, _ in bound) == sorted(rams) and len(tiles) == 13
    for inside in tiles.values():
        sites = [site for site, _ in inside]
        assert sites == ["RAMB36_X0Y0"] or sites == ["RAMB18_X0Y0", "RAMB18_X0Y1"][: len(sites)]
    # A turn from the processors at the left: over the top, the right, and back below.
    place = {cell: tile for tile, inside in tiles.items() for _, cell in inside}
    rows = {layer: [place[c] for c in rams if f"{layer}_i" in c] for layer in kinds}
    assert all(y < 20 for _, y in rows["conv1"]) and all(x == 32 for x, _ in rows["conv2"])
    assert all(y > 15 for _, y in rows["dense0"])


def test_more_block_rams_than_the_fabric_has_are_left_to_nextpnr(tmp_path):
    save_json(tmp_path / "tilegrid.json", FABRIC)
    cells = {f"top_i.conv0_i.mem.{n}": {"type": "RAMB36E1"} for n in range(17)}
    assert floorplan.script(cells, ["conv0"], tmp_path / "tilegrid.json") == ""
    assert floorplan.script({}, [], tmp_path / "tilegrid.json") == ""
