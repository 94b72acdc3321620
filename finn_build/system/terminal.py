"""Text on the terminal, whatever of it comes from outside."""

from rich.console import Console

from finn_build.system.names import printable


def line(console: Console, text: str) -> None:
    """Print a text as it is: no markup, no control characters, no colours for words in it."""
    shown = "\n".join(map(printable, text.split("\n")))
    console.print(shown, markup=False, highlight=False, soft_wrap=True)
