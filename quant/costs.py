"""What a network costs in the accelerator, from a table that `finn_build costs` exports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.config import Network, Quantisation
from quant.errors import ConfigError
from quant.files import read_json


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
        widths = self._widths(network)
        macs = [macs for _, macs in network.costs()]
        return sum(n * self._lut(width) for n, width in zip(macs, widths, strict=True))

    def to_json(self, network: Network) -> dict[str, Any]:
        """The part of the table that counts for this network, as JSON values."""
        used = {width: self._lut(width) for width in self._widths(network)}
        return {"block": self.block, "lut_per_mac": used}

    def _widths(self, network: Network) -> list[str]:
        """Weight and input bits of each layer with weights, such as w2a2."""
        return [f"w{weights}a{inputs}" for weights, inputs in self.quantisation.inputs(network)]

    def _lut(self, width: str) -> float:
        if width not in self.lut_per_mac:
            known = ", ".join(sorted(self.lut_per_mac))
            raise ConfigError(f"table of costs: no cost of {width}; known: {known}")
        return self.lut_per_mac[width]
