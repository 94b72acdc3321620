"""Text on the terminal, whatever of it comes from outside."""

from rich.console import Console

from headrace.names import printable


def line(console: Console, text: str) -> None:
    """Print a text as it is: no markup, no control characters, no colours for words in it."""
    if console.is_jupyter:  # where rich makes of each line a box of its own
        say(text)
        return
    console.print(_shown(text), markup=False, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a result of one line or more, whatever is in it."""
    print(_shown(text), flush=True)


def _shown(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))
