"""Read a folder that `emit` wrote: its modules and its lists of sources."""

import json
from pathlib import Path

from finn_build.rtl.design import Instance, Output, Stream


def read_instances(folder: Path) -> list[Instance]:
    """The instances that `emit.write` stored in a folder."""
    stored = json.loads((folder / "instances.json").read_text())
    return [
        Instance(
            **{
                **instance,
                "reads": tuple(Output(**read) for read in instance["reads"]),
                "out": Stream(**instance["out"]),
            }
        )
        for instance in stored
    ]


def sources(rtl: Path, listed: str) -> list[str]:
    """Files of a list in folder `rtl`, in order, including those of lists that it names."""
    found = []
    for line in (rtl / listed).read_text().splitlines():
        if line.startswith("-f "):
            found += sources(rtl, line.removeprefix("-f "))
        else:
            found.append(line)
    return found
