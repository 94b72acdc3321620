"""Progress of long work: who is told of it, and a bar where it is shown in a notebook."""

import time
from collections.abc import Callable
from html import escape
from typing import Any

# Called with the name of what is under way, what of it is done, and the whole.
Listener = Callable[[str, int, int], None]
# Between two drawings of a bar: a notebook keeps up with some in a second.
_SECONDS = 0.2


def nobody(name: str, done: int, total: int) -> None:
    """The listener where none is given."""


class NotebookBar:
    """A bar in the output of a notebook's cell, by Jupyter's own display.

    rich's own needs ipywidgets in the notebook's environment and in its server's.
    """

    def __init__(self, label: str) -> None:
        """Show an empty bar with a label."""
        from IPython import display  # there, since a notebook runs this

        untyped: Any = display
        self._html = untyped.HTML
        self._label, self._drawn = label, 0.0
        self._handle: Any = untyped.display(self._html(self._drawing(0, 1, "")), display_id=True)

    def show(self, done: int, total: int, note: str = "") -> None:
        """Show what is done of the whole; not more often than can be seen."""
        if time.monotonic() - self._drawn < _SECONDS and done < total:
            return
        self._drawn = time.monotonic()
        self._handle.update(self._html(self._drawing(done, total, note)))

    def close(self) -> None:
        """Take the bar away."""
        self._handle.update(self._html(""))

    def _drawing(self, done: int, total: int, note: str) -> str:
        bar = f'<progress value="{done}" max="{max(1, total)}"></progress>'
        return f"<code>{escape(self._label)}</code> {bar} <code>{escape(note)}</code>"
