"""Run the command line: `headrace`, or python -m headrace."""

from importlib import import_module

from headrace.ending import ending
from headrace.quiet import quieten


def main(module: str = "headrace.cli") -> None:
    """Import what the commands are in, and run the command line."""
    quieten()
    # Ctrl-C ends the imports as it ends all that follows.
    with ending():
        import_module(module).main()


if __name__ == "__main__":
    main()
