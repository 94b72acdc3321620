"""Fetches the Python version of CIFAR-10 from its home."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from quant.errors import DataError
from quant.files import writing

_CHUNK = 2**16


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where an archive is, under which name it is kept, and its MD5 checksum in hex."""

    url: str
    name: str
    md5: str


CIFAR10 = Source(
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    name="cifar-10-python.tar.gz",
    md5="c58f30108f718f92721af3b95e74349a",
)


def download(
    folder: Path,
    source: Source = CIFAR10,
    *,
    timeout_s: float = 30.0,
    console: Console | None = None,
) -> Path:
    """Fetch an archive into `folder`, made if missing; a download that was cut off continues.

    Until its checksum is right the archive is called NAME.part.

    Args:
        folder: where the archive goes.
        source: the archive.
        timeout_s: seconds without a byte that count as a cut.
        console: where the progress bar goes; None for stderr.

    Returns:
        The archive's path. If it is there already, nothing is fetched.

    Raises:
        DataError: if the server cannot be reached, the connection is cut or the checksum is wrong.
        WriteError: if `folder` cannot be written to.
    """
    final = folder / source.name
    partial = folder / f"{source.name}.part"
    with writing(final):
        if final.is_file() and _md5(final) == source.md5:
            return final
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(source, partial, timeout_s, console or Console(stderr=True))
        if _md5(partial) != source.md5:
            partial.unlink()
            raise DataError(
                f"{source.url}: what came has not the MD5 checksum {source.md5} and was removed; "
                f"try again, or {_by_hand(source, folder)}"
            )
        partial.replace(final)
    return final


def _fetch(source: Source, partial: Path, timeout_s: float, console: Console) -> None:
    """Append to `partial` what it lacks; start over where the server has no Range."""
    done = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(source.url)
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        response = urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing beyond what is there; the checksum decides
        raise _unreachable(source, partial, error) from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(source, partial, error) from error
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0
        length = response.headers.get("Content-Length", "")
        total = done + int(length) if length.isdecimal() else None
        with partial.open("r+b" if done else "wb") as file, _progress(console) as progress:
            file.seek(done)
            task = progress.add_task(source.name, total=total, completed=done)
            while chunk := _read(response, source, partial):
                file.write(chunk)
                done += len(chunk)
                progress.update(task, completed=done)
    if total is not None and done < total:
        raise _cut(source, partial, f"{done:,} of {total:,} bytes came")


def _read(response: http.client.HTTPResponse, source: Source, partial: Path) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _cut(source, partial, str(error)) from error


def _unreachable(source: Source, partial: Path, error: Exception) -> DataError:
    reason = getattr(error, "reason", None) or error
    return DataError(
        f"{source.url}: cannot be fetched ({reason}); connect this machine to the network, or "
        f"{_by_hand(source, partial.parent)}"
    )


def _cut(source: Source, partial: Path, reason: str) -> DataError:
    return DataError(
        f"{source.url}: the connection was cut ({reason}); the same command goes on from "
        f"{partial}, or {_by_hand(source, partial.parent)}"
    )


def _by_hand(source: Source, folder: Path) -> str:
    return f"fetch it on another machine and copy {source.name} to {folder}"


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
