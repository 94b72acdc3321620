"""Which accuracy of a report to lead with: the one on the most images."""

from collections.abc import Mapping
from typing import Any


def leading(stages: Mapping[str, Any]) -> str:
    """The stage of report.json's `accuracy` to lead with: "hardware", or "qat".

    Where the data set is not there, the hardware's figure is of the few images that came with the
    model. Then training's record of the quantised network, on its whole test set, says more, and
    the few are a check beside it.
    """
    run, record = stages["hardware"], stages.get("qat")
    if run["value"] is None or record is None or record["value"] is None:
        return "hardware"
    return "qat" if (record["images"] or 0) > run["images"] else "hardware"
