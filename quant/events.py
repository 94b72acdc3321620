"""Scalars for TensorBoard.

Its own writers work in a thread, which dies with a traceback when the disk is full.
"""

from __future__ import annotations

import time
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from quant.files import writing


class Events:
    """An event file of its own for each run of a training; TensorBoard joins those of a folder."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Open a file in `folder`; what its older files have from `first_step` on is void.

        Raises:
            WriteError: if there is no room or no access.
        """
        self.folder = folder
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # TensorBoard reads the files in the order of their names.
            self.file = (folder / f"events.out.tfevents.{time.time_ns():020}").open("xb")
        self.records = RecordWriter(self.file)
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        start = SessionLog(status=SessionLog.START)
        self._write(Event(wall_time=time.time(), step=first_step, session_log=start))

    def add(self, step: int, scalars: dict[str, float]) -> None:
        """Write values by their tags; a buffered write of some hundred bytes.

        Raises:
            WriteError: as on opening.
        """
        values = [Summary.Value(tag=tag, simple_value=x) for tag, x in scalars.items()]
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def _write(self, event: Event) -> None:
        with writing(self.folder):
            self.records.write(event.SerializeToString())
            self.file.flush()

    def close(self) -> None:
        """Close the file."""
        with writing(self.folder):
            self.file.close()
