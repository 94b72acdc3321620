"""Every link of the documentation leads somewhere: files, headings, whole addresses.

Nothing is fetched: an address outside is held to its form alone.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

REPO = Path(__file__).parents[1]
DEPLOY = REPO / "finn_build" / "flow" / "deploy.md.j2"
PAGES = [
    *sorted(REPO.glob("*.md")),
    *sorted((REPO / "docs").rglob("*.md")),
    DEPLOY,
    *sorted((REPO / "docs").rglob("*.ipynb")),
    *sorted((REPO / "finn_build").rglob("*.ipynb")),
]
# ](TARGET), ](TARGET "title"), [NAME]: TARGET, <TARGET>, and what HTML has in a page.
LINK = re.compile(r"\]\(\s*<?([^\s<>()]+(?:\([^\s()]*\)[^\s()]*)?)>?(?:\s+\"[^\"]*\")?\s*\)")
DEFINED = re.compile(r"^\[([^\]]+)\]: (\S+)", flags=re.M)
NAMED = re.compile(r"\]\[([^\]]+)\]")
HTML = re.compile(r"(?:src|href)=\"([^\"]+)\"")
PLAIN = re.compile(r"<(https?://[^>\s]+)>")
HOST = re.compile(r"\w[\w.-]*(:\d+)?")
FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", flags=re.M | re.S)
SPAN = re.compile(r"(`+)(.+?)\1")


@cache
def prose(page: Path) -> str:
    """The text of a page or a notebook without blocks of code."""
    text = page.read_text()
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        text = "\n\n".join(texts)
    return FENCE.sub("", text)


def slugs(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub names them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+?)(?: +#+)? *$", text, flags=re.M):
        said = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        said = re.sub(r"[*`]|(?<!\w)_|_(?!\w)", "", said)
        slug = re.sub(r"[^\w\- ]", "", said.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))


def links(page: Path) -> list[str]:
    """The targets of a page, in order; what is quoted as code is none."""
    text = SPAN.sub(lambda m: f"`{len(m[2])}`", prose(page))
    defined = [target for _, target in DEFINED.findall(text)]
    return [*LINK.findall(text), *defined, *HTML.findall(text), *PLAIN.findall(text)]


def broken(page: Path, target: str) -> str:
    """What is wrong with a link, or nothing."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        parts = urlsplit(target)
        whole = parts.scheme in ("http", "https") and re.fullmatch(HOST, parts.netloc)
        return "" if whole else "no whole address"
    name, _, anchor = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.is_relative_to(REPO.resolve()):
        return "outside of the repository"
    if not path.exists():
        return "no such file"
    if anchor and anchor not in slugs(prose(path)):
        return f"no such heading; there are {', '.join(sorted(slugs(prose(path))))}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_links_lead_somewhere(page):
    wrong = {target: said for target in links(page) if (said := broken(page, target))}
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_names_of_links_are_those_that_are_defined(page):
    text = SPAN.sub("", prose(page))
    assert set(NAMED.findall(text)) == {name for name, _ in DEFINED.findall(text)}


def test_what_goes_to_a_board_links_to_nothing_here():
    """The file is copied elsewhere; only whole addresses lead anywhere from there."""
    assert all(urlsplit(target).scheme for target in links(DEPLOY))


def test_every_page_is_in_the_readmes_table():
    table = re.findall(r"^\| \[.*?\]\((.+?)\) \|", prose(REPO / "README.md"), flags=re.M)
    pages = {page for page in PAGES if page.suffix == ".md"} - {REPO / "README.md"}
    missing = {str(page.relative_to(REPO)) for page in pages} - set(table)
    assert missing <= {"CHANGELOG.md"}


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("## The chip in a simulator", "the-chip-in-a-simulator"),
        ("# nn_mvtu", "nn_mvtu"),
        ("### `--tool auto`: what, when?", "--tool-auto-what-when"),
        ("## *Unreleased* [notes](there.md) ##", "unreleased-notes"),
        ("# A & B", "a--b"),
        ("# Twice\n# Twice", "twice-1"),
    ],
)
def test_headings_are_named_as_github_does(heading, anchor):
    assert anchor in slugs(heading)


@pytest.mark.parametrize(
    "target",
    ["none.md", "architecture.md#nowhere", "../../outside.md", "http:/half", "ftp://a.b/", "#no"],
)
def test_a_link_that_leads_nowhere_is_found(target):
    assert broken(REPO / "docs" / "quickstart.md", target)
