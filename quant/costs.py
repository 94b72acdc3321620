"""What a network costs in the accelerator, from a table that `finn_build costs` exports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.config import Network, Quantisation
from quant.errors import ConfigError
from quant.files import read_json

_PIXEL_BITS = 8


@dataclass(frozen=True, kw_only=True)
class Costs:
    """LUTs of one multiply-accumulate per cycle, by widths, and the block that folds well.

    The sum over the layers of multiply-accumulates times LUTs, divided by the LUTs of a chip, is
    the number of cycles per frame that a balanced folding takes.
    """

    lut_per_mac: dict[str, float]
    block: int
    quantisation: Quantisation

    @classmethod
    def load(cls, path: Path, quantisation: Quantisation) -> Costs:
        """Read the table for a network of these bit widths.

        Raises:
            ConfigError: if it is not such a table, or lacks a width.
        """
        if not path.is_file():
            raise ConfigError(f"{path}: no such file; `./build.sh costs --out {path}` writes it")
        table = read_json(path)
        lut, block = table.get("lut_per_mac"), table.get("channels_multiple")
        if table.get("format") != 1 or not isinstance(lut, dict) or not isinstance(block, int):
            raise ConfigError(f"{path}: not a table of costs; `./build.sh costs` writes one")
        return cls(
            lut_per_mac={key: float(value) for key, value in lut.items()},
            block=block,
            quantisation=quantisation,
        )

    def of(self, network: Network) -> float:
        """LUT cycles per frame of all layers with weights.

        Raises:
            ConfigError: if the table lacks a width.
        """
        first, *hidden, last = [macs for _, macs in network.costs()]
        q = self.quantisation
        return (
            first * self._lut(q.first_weight_bits, _PIXEL_BITS)
            + sum(hidden) * self._lut(q.weight_bits, q.act_bits)
            + last * self._lut(q.last_weight_bits, q.act_bits)
        )

    def to_json(self) -> dict[str, Any]:
        """The part of the table that counts for these bit widths, as JSON values."""
        q = self.quantisation
        widths = (
            (q.first_weight_bits, _PIXEL_BITS),
            (q.weight_bits, q.act_bits),
            (q.last_weight_bits, q.act_bits),
        )
        return {
            "block": self.block,
            "lut_per_mac": {f"w{w}a{a}": self._lut(w, a) for w, a in widths},
        }

    def _lut(self, weight_bits: int, act_bits: int) -> float:
        width = f"w{weight_bits}a{act_bits}"
        if width not in self.lut_per_mac:
            known = ", ".join(sorted(self.lut_per_mac))
            raise ConfigError(f"table of costs: no cost of {width}; known: {known}")
        return self.lut_per_mac[width]
