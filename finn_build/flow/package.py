"""Finish a deploy folder: a README, a SHA-256 for every file, and all of it as one archive."""

import gzip
import hashlib
import tarfile
from pathlib import Path
from typing import Any

from finn_build.boards import Board
from finn_build.system.files import load_json, save_json
from finn_build.system.templates import environment
from headrace.names import markdown

README = Path(__file__).with_name("deploy.md.j2")
MANIFEST = "manifest.json"


def clock(board: Board, mhz: float) -> dict[str, Any]:
    """The manifest's clock: FCLK0, its two dividers, and what they divide."""
    return {
        "fclk_mhz": mhz,
        "divisors": list(board.divisors(mhz)),
        "io_pll_mhz": board.io_pll_mhz,
        "ps_clk_mhz": board.ps_clk_mhz,
    }


def finish(folder: Path, archive: Path, *, board: Board, reason: str) -> None:
    """Complete a folder that has a manifest, and pack it; reason: why there is no bitstream.

    The manifest gets `files`, the SHA-256 of every other file by its path.
    """
    manifest = load_json(folder / MANIFEST)
    text = environment(README.parent).get_template(README.name)
    values = {"m": manifest, "board": board, "reason": markdown(reason)}
    (folder / "README.md").write_text(text.render(values))
    files = [path for path in _files(folder) if path != folder / MANIFEST]
    manifest["files"] = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    save_json(folder / MANIFEST, manifest)
    _pack(folder, archive)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _pack(folder: Path, archive: Path) -> None:
    """Write a .tar.gz whose bytes depend on names and contents alone."""
    top = archive.name.removesuffix(".tar.gz")
    partial = archive.with_name(f"{archive.name}.partial")
    with (
        partial.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in _files(folder):
            entry = tarfile.TarInfo(f"{top}/{path.relative_to(folder).as_posix()}")
            entry.size = path.stat().st_size
            with path.open("rb") as contents:
                tar.addfile(entry, contents)
    partial.replace(archive)
