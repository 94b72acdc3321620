"""A build as the command line asks for it: its files are looked for before the first step."""

from finn_build.config import Options
from finn_build.errors import ConfigError
from finn_build.flow import labels, pipeline
from finn_build.flow.pipeline import Build
from finn_build.flow.steps.plan import STEPS
from headrace.progress import Listener


def run(
    options: Options,
    *,
    first: str | None,
    last: str | None,
    progress: Listener | None = None,
) -> Build:
    """Build from step `first` up to `last`, all where None.

    progress: called with a step's name, what is done of it, and the whole.
    Raises ConfigError for a file or a folder that is named and not there.
    """
    folding, data = options.folding, options.data
    if folding is not None and not folding.is_file():
        raise ConfigError(f"--folding {folding}: no such file; a build leaves fold/folding.json")
    if data is not None and not data.exists():
        raise ConfigError(
            f"--data {data}: no such folder or file; name a data set as `quant train` takes it: "
            "train/CLASS/* and test/CLASS/*, an .npz file, or CIFAR-10's files"
        )
    if options.labels is not None:
        labels.read(options.labels)
    return pipeline.run(STEPS, options, first=first, last=last, progress=progress)
