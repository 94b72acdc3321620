from __future__ import annotations

import hashlib
import io
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from quant.cli import app
from quant.data import load_cifar10
from quant.download import CIFAR10, Source, download
from quant.errors import DataError, WriteError

ARCHIVE = np.random.default_rng(0).bytes(300_000)
LIMIT_S = 20.0


@dataclass
class Server:
    """What a small web server does and what it was asked."""

    url: str
    ranges: bool = True
    cut_after: int | None = None
    content: bytes = ARCHIVE
    asked: list[str | None] = field(default_factory=list)
    status: int = 200

    @property
    def source(self) -> Source:
        return Source(url=self.url, name="c.tar.gz", md5=hashlib.md5(ARCHIVE).hexdigest())


class Handler(BaseHTTPRequestHandler):
    facts: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.facts.asked.append(wanted)
        start = int(wanted[len("bytes=") : -1]) if wanted and self.facts.ranges else 0
        content = self.facts.content[start:]
        if self.facts.status != 200 or not content:
            self.send_error(self.facts.status if content else 416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.facts.cut_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.facts = Server(url=f"http://127.0.0.1:{made.server_port}/c.tar.gz")
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Handler.facts
    made.shutdown()
    thread.join(LIMIT_S)
    made.server_close()


def fetch(source: Source, folder: Path) -> Path:
    return download(folder, source, timeout_s=LIMIT_S, console=Console(file=io.StringIO()))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_source_is_the_published_one() -> None:
    assert CIFAR10.url == "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    assert CIFAR10.md5 == "c58f30108f718f92721af3b95e74349a"
    assert CIFAR10.url.endswith(CIFAR10.name)


def test_what_is_fetched_is_whole_and_fetched_once(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "cifar10"
    for _ in range(2):
        assert fetch(server.source, folder).read_bytes() == ARCHIVE
        assert names(folder) == ["c.tar.gz"]
    assert server.asked == [None]


def test_a_damaged_archive_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "c.tar.gz").write_bytes(ARCHIVE[:-1])
    assert fetch(server.source, tmp_path).read_bytes() == ARCHIVE


@pytest.mark.parametrize("ranges", [True, False])
def test_goes_on_after_a_cut(ranges: bool, server: Server, tmp_path: Path) -> None:
    server.ranges = ranges
    server.cut_after = 100_000
    with pytest.raises(DataError, match=r"was cut \(100,000 of 300,000 bytes came\); the same com"):
        fetch(server.source, tmp_path)
    assert names(tmp_path) == ["c.tar.gz.part"]
    server.cut_after = None
    assert fetch(server.source, tmp_path).read_bytes() == ARCHIVE
    assert names(tmp_path) == ["c.tar.gz"]
    assert server.asked == [None, "bytes=100000-"]


def test_a_whole_part_only_takes_its_name(server: Server, tmp_path: Path) -> None:
    (tmp_path / "c.tar.gz.part").write_bytes(ARCHIVE)
    assert fetch(server.source, tmp_path).read_bytes() == ARCHIVE
    assert names(tmp_path) == ["c.tar.gz"]


@pytest.mark.parametrize("left", [b"", b"x" * 1000, b"x" * len(ARCHIVE)])
def test_a_wrong_checksum_leaves_nothing(left: bytes, server: Server, tmp_path: Path) -> None:
    server.content = b"y" + ARCHIVE[1:]
    if left:
        (tmp_path / "c.tar.gz.part").write_bytes(left)
    with pytest.raises(DataError, match="has not the MD5 checksum [0-9a-f]{32} and was removed"):
        fetch(server.source, tmp_path)
    assert names(tmp_path) == []


def test_no_network_says_what_would_work(server: Server, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/c.tar.gz"
        with pytest.raises(DataError) as caught:
            fetch(replace(server.source, url=url), tmp_path)
    message = str(caught.value)
    assert f"{url}: cannot be fetched (" in message
    assert "refused" in message
    assert f"fetch it on another machine and copy c.tar.gz to {tmp_path}" in message
    server.status = 503
    with pytest.raises(DataError, match=r"cannot be fetched \(Service Unavailable\)"):
        fetch(server.source, tmp_path)
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match=r"file/data/c.tar.gz: not written \(.*give access there"):
        fetch(server.source, tmp_path / "file" / "data")


def test_the_command_fetches_where_it_is_told(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quant.download.download", lambda folder: fetch(server.source, folder))
    done = CliRunner().invoke(app, ["download", "--out", str(tmp_path)])
    assert done.exit_code == 0
    assert done.stdout == f"{tmp_path / 'c.tar.gz'}: CIFAR-10, checksum right\n"


def test_missing_data_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="./build.sh download"):
        load_cifar10(tmp_path, "test", cache=None)
