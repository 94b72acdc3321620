"""The driver over a stand-in without a chip: predictions, jobs, clocks, times, self-test."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import plain_pynq as plain
import pytest
from builds import ODD

from finn_build.driver import Accelerator, benchmark, errors
from finn_build.flow import driver_files
from finn_build.system.files import load_json, save_json


def test_frames_that_are_no_words_are_padded(accelerator, odd):
    labels, logits = accelerator.predict(odd.images[:100], logits=True)
    assert np.array_equal(labels, odd.expected.labels[:100])
    assert np.array_equal(logits, odd.expected.logits[:100])
    assert labels.dtype == logits.dtype == np.int32


def test_the_board_is_set_up_without_a_hwh(accelerator, chip, folder):
    assert chip.loaded == [str(folder / "tiny.bit")]
    assert chip.mhz == 100.0 and accelerator.fclk_mhz == 100.0
    assert chip.afi == {0xF8008000: 2, 0xF8008014: 2}, "other bits than the width changed"


def test_the_clock_changes_after_the_download_while_the_chip_is_reset(accelerator, chip):
    changes = ["reset 1", "fclk 100", "reset 0", "chip reset"]
    assert chip.events == ["load", *changes]
    accelerator.set_clock(50)
    changes = ["chip reset", "reset 1", "fclk 50", "reset 0", "chip reset"]
    assert chip.events[5:] == changes and accelerator.fclk_mhz == 50


def test_few_images_flush_small_buffers(accelerator, chip, odd):
    """pynq 3.1 flushes a buffer as a whole."""
    for count, room in ((1, 2), (2, 2), (3, 8), (8, 8), (9, 32), (32, 32)):
        chip.flushed.clear()
        accelerator.predict(odd.images[:count])
        assert chip.flushed == [80 * room], count


def test_what_a_single_image_costs_in_accesses(accelerator, chip, odd, monkeypatch):
    """Three where the image before it was a single one too: start, the count, the errors."""
    accelerator.predict(odd.images[:1])
    accesses = []
    for name in ("read", "write"):
        do = getattr(chip, name)
        monkeypatch.setattr(chip, name, lambda *a, do=do: accesses.append(a[0]) or do(*a))
    accelerator.predict(odd.images[1:2])
    assert accesses == [plain.CONTROL, plain.JOBS, plain.ERRORS]


def test_buffers_that_pynq_cannot_free_are_used_again(odd, folder, chip, monkeypatch):
    module = plain.module(chip, version="2.7.0")
    monkeypatch.setattr(plain.Buffer, "freebuffer", lambda buffer: None)
    monkeypatch.setitem(sys.modules, "pynq", module)
    taken = []
    for batch in (32, 32, 8, 32):
        with Accelerator(folder, batch=batch) as accelerator:
            labels = accelerator.predict(odd.images[:50])
            assert np.array_equal(labels, odd.expected.labels[:50])
        taken.append(len(chip.memory))
    assert taken == taken[:1] * 4


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, ODD, ODD, 3), np.float32), "float32, (2, 5, 5, 3); tiny takes uint8, (N, 5,"),
        (np.zeros((2, ODD, ODD, 3)), "for pixels from 0 to 1, (255 * images).astype('uint8')"),
        (np.zeros((ODD, ODD, 3), np.uint8), "for a single image, images[None]"),
        (np.zeros((2, 3, ODD, ODD), np.uint8), "(2, 3, 5, 5); tiny takes uint8, (N, 5, 5, 3)"),
        (np.zeros((0, ODD, ODD, 3), np.uint8), "no images; tiny takes uint8, (N, 5, 5, 3) with N"),
        ([], "images are float64, (0,)"),
    ],
)
def test_other_images_are_refused(accelerator, odd, images, message):
    with pytest.raises(errors.ImagesError) as caught:
        accelerator.predict(images)
    assert message in str(caught.value)
    assert np.array_equal(accelerator.predict(odd.images[:5]), odd.expected.labels[:5])


@pytest.mark.parametrize("batch", [0, (1 << 20) + 1])
def test_a_batch_that_no_job_can_have_is_refused(chip, folder, batch):
    with pytest.raises(errors.ImagesError, match=f"batch {batch}: use 1 to 1048576"):
        Accelerator(folder, batch=batch)


def test_closing_twice_is_harmless_and_use_after_it_is_not(chip, folder, odd):
    accelerator = Accelerator(folder)
    accelerator.close()
    accelerator.close()
    for use in (lambda: accelerator.predict(odd.images), accelerator.reset, accelerator.self_test):
        with pytest.raises(errors.ClosedError, match="make another Accelerator"):
            use()


def test_a_hanging_job_is_reset_and_a_stuck_chip_loaded_again(accelerator, chip, odd):
    accelerator.timeout_s = 0.01
    chip.hang = True
    with pytest.raises(errors.JobTimeoutError, match="0.01 s, the chip was reset"):
        accelerator.predict(odd.images[:3])
    chip.hang = chip.stuck = True
    with pytest.raises(errors.JobTimeoutError, match="loaded again"):
        accelerator.predict(odd.images[:3])
    assert np.array_equal(accelerator.predict(odd.images[:3]), odd.expected.labels[:3])


def test_the_drivers_own_work_is_by_the_job_and_not_by_the_image(chip, folder, monkeypatch):
    """Of an idle core at most 20 us an image in batches of 1,000: the copies of NumPy, mostly."""
    shape = (32, 32, 3)
    chip.values[plain.FRAME_BYTES] = 3072
    chip.answer = lambda pixels: 0
    manifest = load_json(folder / "manifest.json")
    save_json(folder / "manifest.json", {**manifest, "input": {"shape": shape}})
    driver = str(Path(driver_files.DRIVER))

    def calls(accelerator, count):
        """Calls of the driver's own functions in a call of predict."""
        images, made = np.zeros((count, *shape), np.uint8), 0

        def watch(frame, event, argument):
            nonlocal made
            made += event == "call" and frame.f_code.co_filename.startswith(driver)

        sys.setprofile(watch)
        try:
            accelerator.predict(images)
        finally:
            sys.setprofile(None)
        return made

    with Accelerator(folder) as accelerator:
        assert accelerator.batch == 128
        one, eight = calls(accelerator, 128), calls(accelerator, 1024)
    assert 0 < one <= 40
    assert eight <= 8 * one


def test_the_self_test_is_silent_where_all_is_right(accelerator):
    made = accelerator.self_test()
    assert (made.images, made.mismatches, made.suspect) == (100, 0, None)


def test_the_self_test_suspects_the_clock(accelerator, chip):
    right = chip.answer
    chip.answer = lambda pixels: right(pixels) + (chip.mhz > 60)
    made = accelerator.self_test()
    assert made.mismatches == 100 and chip.mhz == 100.0
    assert "100 of 100 images are wrong at 100 MHz, none at 50 MHz" in made.suspect
    assert "The critical path is conv0, 9.9 ns. Build with a lower --clock-mhz" in made.suspect


@pytest.mark.parametrize(
    ("words", "suspect"),
    [
        ([0], "argmax: 100 of 100 images have another label than their logits say"),
        ([4, 8], "the last layer: 100 of 100 images are wrong, all in the logits of cat, horse"),
        (range(11), "a layer before the last, or the memory's way to the chip"),
    ],
)
def test_the_self_test_suspects_a_layer(accelerator, chip, words, suspect):
    right = chip.answer
    change = np.isin(np.arange(11), list(words)).astype(np.int32)
    chip.answer = lambda pixels: right(pixels) + change
    assert suspect in accelerator.self_test().suspect


def test_the_clock_is_right_though_pynq_takes_every_crystal_for_one_of_50_mhz(chip, folder):
    """From 100/3 MHz it makes two thirds of what it is told to."""
    path = folder / "manifest.json"
    made = load_json(path)
    save_json(path, {**made, "fclk_mhz": 1e3 / 12, "clock": {"ps_clk_mhz": 100 / 3}})
    with Accelerator(folder) as accelerator:
        assert chip.mhz == pytest.approx(125) and accelerator.fclk_mhz == pytest.approx(1e3 / 12)


def test_a_rate_is_the_median_calls_and_has_its_range(accelerator, monkeypatch):
    times = iter([4.0, 2.0, 3.0])
    counts = {"waited": 0.5, "cycles": 384, "starved": 0, "stalled": 0}
    monkeypatch.setattr(benchmark, "_call", lambda *_: {"seconds": next(times), **counts})
    (row,) = accelerator.benchmark(batches=(12,), repeats=3, singles=0)["throughput"]
    assert (row["frames_per_second"], row["range"], row["repeats"]) == (4.0, [3.0, 6.0], 3)
    assert row["host_us_per_image"] == pytest.approx(2.5e6 / 12)


def test_what_the_board_refuses_is_passed_on(chip, folder, monkeypatch):
    def refuse(bitstream):
        raise OSError("Root permissions required.")

    monkeypatch.setattr(sys.modules["pynq"].Bitstream, "download", refuse)
    with pytest.raises(errors.BoardError, match=r"Root permissions required\.\); run as root"):
        Accelerator(folder)
