"""Run the command line: `headrace`, or python -m headrace."""

import logging
import sys
import warnings
from importlib import import_module

from headrace.ending import ending


def main(module: str = "headrace.cli") -> None:
    """Import what the commands are in, and run the command line."""
    # What libraries say is for who writes programs with them; `python -W default -m headrace`
    # shows it. Errors are raised, and end in one message.
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
    # Ctrl-C ends the imports as it ends all that follows.
    with ending():
        import_module(module).main()


if __name__ == "__main__":
    main()
