"""Run the command line: `headrace`, or python -m headrace."""

import warnings
from importlib import import_module

from headrace.ending import ending


def main(module: str = "headrace.cli") -> None:
    """Import what the commands are in, and run the command line."""
    # Brevitas warns at every start of a package that only its equalisation would use.
    warnings.filterwarnings("ignore", message="fast_hadamard_transform")
    # Ctrl-C ends the imports as it ends all that follows.
    with ending():
        import_module(module).main()


if __name__ == "__main__":
    main()
