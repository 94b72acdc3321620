"""What run.py does: accuracy, benchmark, self-test, classify, predict."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Sequence

import numpy as np

from . import benchmark, pictures, results
from .accelerator import Accelerator
from .errors import DriverError, ImagesError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BAR = 30  # characters
# Signals that end a program besides Ctrl-C: kill's, and that of a lost connection.
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Bar:
    """A progress bar on a terminal; nothing elsewhere."""

    def __init__(self, what: str) -> None:
        """what: the text before it."""
        self._what, self._shown = what, sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        """Show that so many of all are done."""
        if self._shown:
            filled = BAR * done // total
            end = "\n" if done == total else ""
            line = f"\r{self._what} [{'#' * filled}{'.' * (BAR - filled)}] {done:,}/{total:,}"
            print(line, end=end, file=sys.stderr, flush=True)


def accuracy(
    accelerator: Accelerator, images: NDArray[np.uint8], truth: NDArray[np.int64], source: str
) -> results.Results:
    """Classify images (N, H, W, C) of true classes (N,) and count: results.json's accuracy."""
    bar, step = Bar("accuracy"), 8 * accelerator.batch
    found: list[Any] = []
    for start in range(0, len(images), step):
        found.append(accelerator.predict(images[start : start + step]))
        bar(min(start + step, len(images)), len(images))
    labels = np.concatenate(found)
    classes = accelerator.manifest.classes
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (truth, labels), 1)
    return {
        "value": float((labels == truth).mean()),
        "images": len(images),
        "source": source,
        "confusion": confusion.tolist(),
        "classes": list(classes),
    }


def _accuracy(accelerator: Accelerator, options: argparse.Namespace) -> None:
    manifest = accelerator.manifest
    images, truth, source = pictures.labelled(manifest, options.data)
    if truth is None:
        raise ImagesError(
            f"accuracy: not known; {manifest.folder / 'golden.npz'} has no labels of the classes "
            f"of {manifest.model}; name a test set with --data: a folder with test/CLASS/*, an "
            ".npz file, or CIFAR-10's folder"
        )
    began = accelerator.clock()
    made = accuracy(accelerator, images[: options.images], truth[: options.images], source)
    rate = made["images"] / (accelerator.clock() - began)
    print(
        f"{100 * made['value']:.2f} % of {made['images']:,} images right ({source}), "
        f"{rate:,.0f} frames/s with the host's work"
    )
    print(_table(made["confusion"], made["classes"]))
    _save(accelerator, options, accuracy=made)


def _table(confusion: list[list[int]], classes: Sequence[str]) -> str:
    """The confusion matrix as text: rows true, columns predicted."""
    width = 1 + max(5, *(len(str(n)) for row in confusion for n in row))
    name = max(map(len, classes))
    head = " " * name + "".join(f"{c[: width - 1]:>{width}}" for c in classes)
    rows = [
        f"{c:<{name}}" + "".join(f"{n:>{width}}" for n in row) for c, row in zip(classes, confusion)
    ]
    return "\n".join(["rows: true class; columns: predicted", head, *rows])


def _benchmark(accelerator: Accelerator, options: argparse.Namespace) -> None:
    made = accelerator.benchmark(
        batches=options.batches,
        repeats=options.repeats,
        singles=options.singles,
        tick=Bar("benchmark"),
    )
    predicted = accelerator.manifest.predicted
    print(
        "   batch    frames/s   spread   chip alone   host us/image   chip idle   starved   stalled"
    )
    for row in made["throughput"]:
        counters = row["counters"]
        share = {n: counters[n] / max(1, counters["cycles"]) for n in ("starved", "stalled")}
        low, high = row["range"]
        print(
            f"{row['batch']:8,} {row['frames_per_second']:11,.0f} "
            f"{(high - low) / row['frames_per_second']:7.1%} "
            f"{row['fabric_frames_per_second']:12,.0f} {row['host_us_per_image']:15.1f} "
            f"{row['idle_share']:11.1%} {share['starved']:9.1%} {share['stalled']:9.1%}"
        )
    if made["latency"]:
        times = made["latency"]["microseconds"]
        text = ", ".join(f"{name} {us:,.1f}" for name, us in times.items())
        print(f"one image, us: {text}; chip alone {made['latency']['fabric_us']:,.1f}")
    if predicted:
        print(
            f"the build predicts {predicted['frames_per_second']:,.0f} frames/s and "
            f"{predicted['latency_us']:,.1f} us for one image"
        )
    _save(accelerator, options, **made)


def _save(accelerator: Accelerator, options: argparse.Namespace, **parts: Any) -> None:
    results.update(options.results, {**benchmark.describe(accelerator), **parts})
    print(f"written to {options.results}")


def _self_test(accelerator: Accelerator, options: argparse.Namespace) -> int:
    made = accelerator.self_test()
    print(f"{made.images} images, {made.mismatches} mismatches")
    if made.suspect:
        print(f"suspect: {made.suspect}")
    return 1 if made.mismatches else 0


def _classify(accelerator: Accelerator, options: argparse.Namespace) -> None:
    manifest = accelerator.manifest
    if not manifest.classes:
        raise ImagesError(f"{manifest.model} gives values, not classes: use run.py predict FILE...")
    _predict(accelerator, options)


def _predict(accelerator: Accelerator, options: argparse.Namespace) -> None:
    images = pictures.read(options.files, accelerator.manifest.shape)
    words, output = accelerator.words(images), accelerator.manifest.output
    for path, row in zip(options.files, words):
        print(f"{path}: {output.text(row)}")
    if options.to is not None:
        results.save(options.to, output.results(words, False))
        print(f"written to {options.to}")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: use 1 or more")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text}: use more than 0")
    return value


def _batches(text: str) -> list[int]:
    return [_positive(part) for part in text.split(",")]


def parser(folder: Path) -> argparse.ArgumentParser:
    """Options of run.py; folder: the deploy folder that it lies in."""
    made = argparse.ArgumentParser(prog="run.py", description="Run the accelerator on the board.")
    made.add_argument("--deploy", type=Path, default=folder, help="deploy folder (default: this)")
    made.add_argument("--batch", type=_positive, default=128, help="images per job (default: 128)")
    made.add_argument(
        "--timeout", type=_seconds, default=0.0, help="seconds for a job (default: many)"
    )
    made.add_argument("--results", type=Path, default=Path("results.json"), help="file to write")
    commands = made.add_subparsers(dest="command", required=True)
    one = commands.add_parser("accuracy", help="accuracy on a test set, confusion matrix")
    one.add_argument("--data", type=Path, help="test/CLASS/*, .npz or CIFAR-10 (default: vectors)")
    one.add_argument("--images", type=_positive, help="only the first ones")
    one.set_defaults(do=_accuracy)
    one = commands.add_parser("benchmark", help="frames/s, latency, the chip's counters")
    one.add_argument("--batches", type=_batches, default=list(benchmark.BATCHES), help="1,10,...")
    one.add_argument("--repeats", type=_positive, default=benchmark.REPEATS, help="calls per batch")
    one.add_argument("--singles", type=_positive, default=benchmark.SINGLES, help="for the latency")
    one.set_defaults(do=_benchmark)
    one = commands.add_parser("self-test", help="the golden vectors, bit for bit")
    one.set_defaults(do=_self_test)
    one = commands.add_parser("classify", help="the top classes of pictures")
    one.add_argument("files", type=Path, nargs="+", metavar="FILE")
    one.set_defaults(do=_classify, to=None)
    one = commands.add_parser("predict", help="what the model gives for pictures")
    one.add_argument("files", type=Path, nargs="+", metavar="FILE")
    one.add_argument("--to", type=Path, help="file for all of it as a NumPy array (.npy)")
    one.set_defaults(do=_predict)
    return made


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGNALS end the program as an exception does: the chip is reset on the way out.

    A signal that is ignored (SIGHUP under nohup) stays ignored; one that has a handler keeps it.
    """

    def end(number: int, frame: Any) -> None:
        for one in taken:
            signal.signal(one, signal.SIG_IGN)  # a second one would interrupt the reset
        print(f"ended by {signal.Signals(number).name}", file=sys.stderr)
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    taken = [one for one in SIGNALS if signal.getsignal(one) is signal.SIG_DFL]
    for one in taken:
        signal.signal(one, end)
    try:
        yield
    finally:
        for one in taken:
            signal.signal(one, signal.SIG_DFL)


def main(folder: Path, arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 1 for a failed self-test, 2 with a message for errors."""
    options = parser(folder).parse_args(arguments)
    try:
        results.check(options.results)
        with _ended_by_signals(), Accelerator(
            options.deploy, batch=options.batch, timeout_s=options.timeout
        ) as accelerator:
            return int(options.do(accelerator, options) or 0)
    except DriverError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
