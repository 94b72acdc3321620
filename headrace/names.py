"""Names from outside: a safe identifier of each at the door, and texts safe to show."""

import hashlib
import re

MOST = 64  # characters of an identifier
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_MARKUP = re.compile(r"[\\`*\[\]<>|&~]")
_LINE = 1000  # characters of a line that is shown


def identifier(text: str) -> str:
    """A name of letters, digits, _, - and . for files, sources and pages; the same every time.

    A safe name stays as it is. Of another one, what is not safe is replaced and eight digits of
    its hash follow, so that different names stay different. It is never empty, has at most MOST
    characters, and starts with a letter, a digit or _, so that no program takes it for an option.
    """
    safe = _UNSAFE.sub("_", text).lstrip("-.")
    if safe == text and 0 < len(safe) <= MOST:
        return safe
    digits = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    kept = safe[: MOST - len(digits) - 1].strip("_-.") or "model"
    return f"{kept}-{digits}"


def printable(text: str, *, most: int = _LINE) -> str:
    """A text as one line for a terminal, a log or a source, with at most `most` characters.

    What does not show is escaped as Python does: control characters, line ends, marks that change
    the direction of writing, bytes of a file's name that are not text.
    """
    short = text if len(text) <= most else f"{text[: most - 3]}..."
    shown = "".join(c if c.isprintable() else _escape(c) for c in short)
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."


def markdown(text: str) -> str:
    """A text as one line of Markdown that shows what it is: no markup, no HTML, no links."""
    return _MARKUP.sub(r"\\\g<0>", printable(text))


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
