"""Run the command line: `headrace`, or python -m headrace."""

import warnings
from importlib import import_module

from headrace.ending import ending


def main(module: str = "headrace.cli") -> None:
    """Import what the commands are in, and run the command line."""
    # Brevitas says at every start that it lacks what only its equalisation would use.
    warnings.filterwarnings("ignore", message="fast_hadamard_transform")
    # Ctrl-C ends the time of importing as it ends everything after it.
    with ending():
        import_module(module).main()


if __name__ == "__main__":
    main()
