"""The driver over a stand-in without a chip: what it accepts, refuses, prints and writes."""

from __future__ import annotations

import ast
import importlib.util
import json
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import plain_pynq as plain
import pytest
from cases import build, case

from finn_build.driver import Accelerator, benchmark, errors, results
from finn_build.driver.command import main
from finn_build.flow import driver_files
from finn_build.system.files import load_json, save_json

# Fields of a results.json, but for its parts.
WHOLE = {
    "format": "headrace-results", "version": 1, "model": "tiny", "model_hash": "", "board": "",
    "where": "measured", "device": "", "date": "", "fclk_mhz": 100, "software": {},
    "predicted": None,
}  # fmt: skip
ODD = 5  # 75 bytes per image, 80 in memory


@pytest.fixture(scope="session")
def odd():
    return case(ODD)


@pytest.fixture(scope="session")
def bare(odd, tmp_path_factory):
    """A deploy folder with a bitstream of no contents."""
    folder = tmp_path_factory.mktemp("odd")
    built = build(odd, folder)
    manifest = load_json(built.path("deploy", "manifest.json"))
    save_json(built.path("deploy", "manifest.json"), {**manifest, "bitstream": "tiny.bit"})
    built.path("deploy", "tiny.bit").touch()
    return built.path("deploy")


@pytest.fixture
def folder(bare, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(bare, tmp_path / "deploy")


def answers(made):
    """The golden model's results, looked up by pixels."""
    words = np.column_stack([made.expected.labels, made.expected.logits]).astype(np.int32)
    known = {image.tobytes(): row for image, row in zip(made.images, words, strict=True)}
    used = made.images[0].nbytes
    return lambda pixels: np.stack([known[row[:used].tobytes()] for row in pixels])


@pytest.fixture
def chip(odd, bare, monkeypatch):
    identity = load_json(bare / "manifest.json")["model_hash"]
    made = plain.Chip(answers(odd), frame_bytes=80, words=11, identity=identity)
    monkeypatch.setitem(sys.modules, "pynq", plain.module(made))
    return made


@pytest.fixture
def accelerator(chip, folder):
    with Accelerator(folder, batch=32) as made:
        yield made
    assert not chip.memory


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


def test_commands_fill_one_file(chip, folder, odd, tmp_path, capsys):
    path = tmp_path / "results.json"
    assert main(folder, ["--results", str(path), "accuracy", "--images", "40"]) == 0
    right = (odd.expected.labels[:40] == odd.truth[:40]).mean()
    assert f"{100 * right:.2f} % of 40 images right" in capsys.readouterr().out
    more = ["benchmark", "--repeats", "1", "--singles", "4"]
    assert main(folder, ["--results", str(path), *more]) == 0
    text = capsys.readouterr().out
    made = results.load(path)
    assert made["where"] == "measured" and made["device"] == "plain"
    assert made["accuracy"]["value"] == right and len(made["accuracy"]["confusion"]) == 10
    assert [row["batch"] for row in made["throughput"]] == [1, 10, 100, 1000, 10000]
    for row in made["throughput"]:
        assert row["counters"]["cycles"] == 384 * row["batch"]
        assert row["fabric_frames_per_second"] == pytest.approx(1e8 / 384)
        assert f"{row['frames_per_second']:,.0f}" in text
        assert row["range"] == [row["frames_per_second"]] * 2, "of a single call"
    assert made["latency"]["fabric_us"] == 3.84 and made["latency"]["images"] == 4
    predicted = load_json(folder / "manifest.json")["predicted"]
    assert made["predicted"] == predicted
    assert f"the build predicts {predicted['frames_per_second']:,.0f} frames/s" in text


def test_the_clock_is_right_though_pynq_takes_every_crystal_for_one_of_50_mhz(chip, folder):
    """From 100/3 MHz it makes two thirds of what it is told to."""
    path = folder / "manifest.json"
    made = load_json(path)
    save_json(path, {**made, "fclk_mhz": 1e3 / 12, "clock": {"ps_clk_mhz": 100 / 3}})
    with Accelerator(folder) as accelerator:
        assert chip.mhz == pytest.approx(125) and accelerator.fclk_mhz == pytest.approx(1e3 / 12)


def test_a_terminal_sees_how_far_it_is(chip, folder, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(folder, ["--batch", "4", "accuracy", "--images", "96"]) == 0
    lines = capsys.readouterr().err.split("\r")[1:]
    assert lines[0] == f"accuracy [{'#' * 10}{'.' * 20}] 32/96"
    assert lines[-1] == f"accuracy [{'#' * 30}] 96/96\n" and len(lines) == 3
    assert main(folder, ["benchmark", "--batches", "1", "--repeats", "2", "--singles", "1"]) == 0
    assert "benchmark [" in capsys.readouterr().err


def test_a_rate_is_the_median_calls_and_has_its_range(accelerator, monkeypatch):
    times = iter([4.0, 2.0, 3.0])
    counts = {"waited": 0.5, "cycles": 384, "starved": 0, "stalled": 0}
    monkeypatch.setattr(benchmark, "_call", lambda *_: {"seconds": next(times), **counts})
    (row,) = accelerator.benchmark(batches=(12,), repeats=3, singles=0)["throughput"]
    assert (row["frames_per_second"], row["range"], row["repeats"]) == (4.0, [3.0, 6.0], 3)
    assert row["host_us_per_image"] == pytest.approx(2.5e6 / 12)


def test_results_of_another_chip_start_anew(chip, folder, tmp_path):
    path = tmp_path / "results.json"
    run = ["--results", str(path), "benchmark", "--batches", "1", "--singles", "1"]
    assert main(folder, ["--results", str(path), "accuracy"]) == 0
    save_json(path, {**load_json(path), "fclk_mhz": 50.0})
    assert main(folder, run) == 0
    assert results.load(path)["accuracy"] is None and results.load(path)["throughput"]


def test_the_self_test_command_fails_with_the_chip(chip, folder, capsys):
    assert main(folder, ["self-test"]) == 0
    chip.answer = lambda pixels: 0
    assert main(folder, ["self-test"]) == 1
    assert "suspect: " in capsys.readouterr().out


# The label and the logits 1 to 10 of the classes, whose scale is 0.5.
TRUCK = np.array([9, *range(1, 11)], np.int32)


def test_pictures_of_any_size_are_classified(chip, folder, odd, tmp_path, capsys):
    from PIL import Image

    seen = []
    chip.answer = lambda pixels: seen.append(pixels.copy()) or np.tile(TRUCK, (len(pixels), 1))
    Image.new("L", (40, 20), 200).save(tmp_path / "grey.png")
    Image.fromarray(odd.images[0]).save(tmp_path / "tile.png")
    paths = [str(tmp_path / "grey.png"), str(tmp_path / "tile.png")]
    assert main(folder, ["classify", *paths]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{path}: truck (5), ship (4.5), horse (4)" for path in paths]
    assert (seen[0][0, :75] == 200).all()
    assert np.array_equal(seen[0][1, :75], odd.images[0].ravel())


@pytest.mark.parametrize(
    ("floor", "shown"),
    [(None, "cat (2), dog (0), airplane (-0.5)"), (3, "cat (3), airplane (3), automobile (3)")],
)
def test_classes_of_their_own_scales_are_told_by_their_values(
    chip, folder, tmp_path, capsys, floor, shown
):
    from PIL import Image

    scales, offsets = [-0.5] * 10, [0.0, 0.0, 0.0, 4.0, 0.0, 3.0, 0.0, 0.0, 0.0, 4.0]
    told = {"logit_scale": scales, "logit_offset": offsets, "logit_floor": floor}
    path = folder / "manifest.json"
    save_json(path, {**load_json(path), **told})
    chip.answer = lambda pixels: np.tile([3, *TRUCK[1:]], (len(pixels), 1)).astype(np.int32)
    Image.new("L", (40, 20), 200).save(tmp_path / "a.png")
    assert main(folder, ["classify", str(tmp_path / "a.png")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'a.png'}: {shown}\n"


def test_scales_of_another_number_of_classes_are_refused(chip, folder, capsys):
    path = folder / "manifest.json"
    save_json(path, {**load_json(path), "logit_scale": [1.0] * 9})
    assert main(folder, ["self-test"]) == 2
    assert "logit_scale has 9 numbers for 10 classes" in capsys.readouterr().err


@pytest.fixture
def nobodys(odd, folder, tmp_path):
    """The deploy folder of a network whose task nobody told, in the place of the other."""
    built = build(odd, tmp_path / "nobodys", {"network": "tiny"})
    made = load_json(built.path("deploy", "manifest.json"))
    assert made["classes"] is None and made["labelled"] is False
    save_json(built.path("deploy", "manifest.json"), {**made, "bitstream": "tiny.bit"})
    shutil.rmtree(folder)
    shutil.copytree(built.path("deploy"), folder)
    (folder / "tiny.bit").touch()
    return folder


def test_classes_without_names_go_by_number(chip, nobodys, odd, tmp_path, capsys):
    from PIL import Image

    words = np.array([9, *range(1, 11)], np.int32)  # the label, then logits of half a unit
    chip.answer = lambda pixels: np.tile(words, (len(pixels), 1))
    Image.fromarray(odd.images[0]).save(tmp_path / "tile.png")
    assert main(nobodys, ["classify", str(tmp_path / "tile.png")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'tile.png'}: 9 (5), 8 (4.5), 7 (4)\n"


def test_images_of_another_task_give_no_accuracy(chip, nobodys, capsys):
    assert main(nobodys, ["accuracy"]) == 2
    shown = capsys.readouterr()
    assert "error: accuracy: not known; " in shown.err and shown.out == ""
    assert "golden.npz has no labels of the classes of tiny; if it is for CIFAR-10" in shown.err
    assert not Path("results.json").exists()
    assert main(nobodys, ["self-test"]) == 0


def cifar(tmp_path, count=20):
    images = np.random.default_rng(2).integers(0, 256, (count, 3, 32, 32), np.uint8)
    labels = np.arange(count) % 10
    return images, labels


@pytest.mark.parametrize("version", ["binary", "python"])
def test_the_test_set_is_read_from_its_own_files(chip, folder, tmp_path, capsys, version):
    images, labels = cifar(tmp_path)
    rows = images.reshape(len(images), -1)
    if version == "binary":
        raw = np.column_stack([labels.astype(np.uint8), rows])
        (tmp_path / "test_batch.bin").write_bytes(raw.tobytes())
    else:
        inside = tmp_path / "cifar-10-batches-py"
        inside.mkdir()
        batch = {b"data": rows, b"labels": labels.tolist()}
        (inside / "test_batch").write_bytes(pickle.dumps(batch, protocol=4))
    manifest = load_json(folder / "manifest.json")
    save_json(folder / "manifest.json", {**manifest, "input": {"shape": [32, 32, 3]}})
    chip.values[plain.FRAME_BYTES] = 3072
    expected = images.transpose(0, 2, 3, 1).reshape(len(images), -1)
    order = {row.tobytes(): label for row, label in zip(expected, labels, strict=True)}
    chip.answer = lambda pixels: np.array([[order[row.tobytes()]] * 11 for row in pixels], np.int32)
    assert main(folder, ["accuracy", "--data", str(tmp_path)]) == 0
    assert "100.00 % of 20 images right (CIFAR-10 test set)" in capsys.readouterr().out


class Evil:
    def __reduce__(self):
        return (print, ("code ran",))


def test_a_pickle_runs_no_code(chip, folder, tmp_path, capsys):
    (tmp_path / "test_batch").write_bytes(pickle.dumps(Evil()))
    manifest = load_json(folder / "manifest.json")
    save_json(folder / "manifest.json", {**manifest, "input": {"shape": [32, 32, 3]}})
    chip.values[plain.FRAME_BYTES] = 3072
    assert main(folder, ["accuracy", "--data", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert "builtins.print is not part of CIFAR-10" in shown.err and "code ran" not in shown.out


@pytest.mark.parametrize("spoil", ["label", "count"])
def test_a_spoilt_test_set_is_refused(chip, folder, tmp_path, capsys, spoil):
    images, labels = cifar(tmp_path)
    labels = np.where(labels == 3, 10, labels) if spoil == "label" else labels[:-1]
    batch = {b"data": images.reshape(len(images), -1), b"labels": labels.tolist()}
    (tmp_path / "test_batch").write_bytes(pickle.dumps(batch, protocol=4))
    manifest = load_json(folder / "manifest.json")
    save_json(folder / "manifest.json", {**manifest, "input": {"shape": [32, 32, 3]}})
    chip.values[plain.FRAME_BYTES] = 3072
    assert main(folder, ["accuracy", "--data", str(tmp_path)]) == 2
    assert "not a label from 0 to 9 for each of 20 images" in capsys.readouterr().err


def drop(name):
    return lambda folder: (folder / name).unlink()


def change(**fields):
    def do(folder):
        path = folder / "manifest.json"
        save_json(path, {**load_json(path), **fields})

    return do


def lack(*names):
    def do(folder):
        path = folder / "manifest.json"
        save_json(path, {key: value for key, value in load_json(path).items() if key not in names})

    return do


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop("tiny.bit"), "tiny.bit: no such file; copy the whole deploy folder of one build"),
        (drop("manifest.json"), "manifest.json: no such file; copy the whole deploy folder"),
        (drop("registers.json"), "registers.json: no such file; copy the whole deploy folder"),
        (drop("golden.npz"), "golden.npz: not readable"),
        (change(bitstream=None), "this build made no bitstream; install the tools that"),
        (change(model_hash="0" * 32), "the chip holds model"),
        (change(classes=["a", "b"]), "11 words of output for 2 classes"),
        (
            change(input={"shape": [32, 32, 3]}),
            "3072 bytes in and 11 words out per image",
        ),
        (change(input={}), "no manifest of this driver, input.shape missing; copy the whole"),
        (change(input=[32]), "no manifest of this driver, input.shape missing"),
        (change(input={"shape": [8, 8]}), "no manifest of this driver (not enough values"),
        (change(predicted=[1]), "no manifest of this driver (predicted is no object"),
        (change(fclk_mhz="fast"), "could not convert string to float: 'fast'"),
        (lack("output"), "no manifest of this driver, output.words missing"),
        (lack("model", "clock"), "driver, model, clock.ps_clk_mhz missing; copy the whole deploy"),
        (lambda f: (f / "manifest.json").write_text("[]"), "no manifest of this driver, model, "),
        (lambda f: (f / "registers.json").write_text("{}"), "registers.json: no registers of"),
        (change(fclk_mhz=700), "FCLK0 is 1000 MHz though set to 700"),
        (change(files={"tiny.bit": "0" * 64}), "tiny.bit: not the file that manifest.json"),
        (lambda f: (f / "manifest.json").write_text("{"), "manifest.json: not readable"),
        (lambda f: (f / "golden.npz").write_text("{"), "golden.npz: not readable"),
    ],
)
def test_a_spoilt_deploy_folder_is_refused(chip, folder, tmp_path, capsys, spoil, message):
    spoil(folder)
    assert main(folder, ["--results", str(tmp_path / "r.json"), "accuracy"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r.json").exists()


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("{", "not readable as JSON"),
        ("[]", "no results of headrace"),
        (
            '{"format": "headrace-results", "version": 2}',
            "version 2 of the results, this one",
        ),
        ('{"format": "headrace-results", "version": 1}', "model, date"),
        (
            json.dumps({**WHOLE, "accuracy": {"value": 1}, "throughput": [3], "latency": None}),
            "accuracy.images, throughput.batch, throughput.frames_per_second missing",
        ),
    ],
)
def test_other_results_are_refused_before_the_work(
    chip, folder, tmp_path, capsys, contents, message
):
    path = tmp_path / "results.json"
    path.write_text(contents)
    assert main(folder, ["--results", str(path), "accuracy"]) == 2
    shown = capsys.readouterr().err
    assert message in shown and "run `python3 run.py benchmark` again" in shown
    assert path.read_text() == contents and not chip.loaded


def test_results_that_cannot_be_written_are_refused(chip, folder, tmp_path, capsys):
    assert main(folder, ["--results", str(tmp_path / "lost" / "r.json"), "accuracy"]) == 2
    assert "r.json: no such folder; make it, or name another" in capsys.readouterr().err
    assert not chip.loaded, "not before the work"
    (tmp_path / "results.part").mkdir()
    assert main(folder, ["--results", str(tmp_path / "results.json"), "accuracy"]) == 2
    assert "results.json: cannot be written (" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--batch=0", "--timeout=0", "--timeout=-1", "--timeout=nan"])
def test_options_that_make_no_sense_are_refused(folder, capsys, option):
    with pytest.raises(SystemExit):
        main(folder, [option, "accuracy"])
    assert "use 1 or more" in (shown := capsys.readouterr().err) or "use more than 0" in shown


def test_a_picture_that_is_none_is_refused(chip, folder, tmp_path, capsys):
    (tmp_path / "a.png").write_text("no picture")
    for path in (tmp_path / "a.png", tmp_path / "lost.png"):
        assert main(folder, ["classify", str(path)]) == 2
        shown = capsys.readouterr().err
        assert f"{path}: not a picture that Pillow reads" in shown and "use PNG or JPEG" in shown


def test_pictures_without_pillow_say_what_to_install(chip, folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert main(folder, ["classify", "a.png"]) == 2
    assert "python3 -m pip install pillow" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["2.5.4", "2.6", "1.10"])
def test_an_old_pynq_is_refused(chip, folder, capsys, version):
    sys.modules["pynq"].__version__ = version
    assert main(folder, ["self-test"]) == 2
    shown = capsys.readouterr().err
    assert f"pynq {version} is too old; use a PYNQ image of version 2.7 or later" in shown


def test_without_pynq_it_says_where_to_run(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pynq", None)
    assert main(folder, ["self-test"]) == 2
    assert "pynq is not there" in capsys.readouterr().err


def test_what_the_board_refuses_is_passed_on(chip, folder, monkeypatch):
    def refuse(bitstream):
        raise OSError("Root permissions required.")

    monkeypatch.setattr(sys.modules["pynq"].Bitstream, "download", refuse)
    with pytest.raises(errors.BoardError, match=r"Root permissions required\.\); run as root"):
        Accelerator(folder)


def test_no_module_of_the_driver_imports_one_that_imports_it():
    """Imports within functions, and those for types alone, count as all others."""
    folder = Path(driver_files.DRIVER)
    imported = {path.stem: set() for path in driver_files.FILES if path.suffix == ".py"}
    for name, found in imported.items():
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                names = [node.module] if node.module else [each.name for each in node.names]
                # A name of the package itself is one of its __init__.
                found |= {each if each in imported else "__init__" for each in names}
    while ends := [name for name, found in imported.items() if not found & imported.keys()]:
        for name in ends:
            del imported[name]
    assert not imported


def test_the_driver_needs_numpy_alone_and_python_3_8():
    """Beside the standard library, and what is imported where it is used: pynq and Pillow."""
    for path in driver_files.FILES:
        if path.suffix != ".py":
            continue
        tree = ast.parse(path.read_text(), feature_version=(3, 8))
        names = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add((node.module or "").split(".")[0])
        foreign = names - set(sys.stdlib_module_names) - {"numpy", "pynq", "PIL", "headrace_driver"}
        assert not foreign, f"{path.name}: {foreign}"


def test_the_deploy_folder_runs_by_itself(chip, folder, monkeypatch):
    """Its own copy of the package, under its own name."""
    monkeypatch.syspath_prepend(str(folder))
    package = importlib.import_module("headrace_driver")
    assert Path(package.__file__).parent == folder / "headrace_driver"
    try:
        with package.Accelerator(folder) as accelerator:
            assert accelerator.self_test().mismatches == 0
    finally:
        for name in [name for name in sys.modules if name.startswith("headrace_driver")]:
            del sys.modules[name]


def test_the_manifest_is_json_that_compare_can_read(bare):
    manifest = json.loads((bare / "manifest.json").read_text())
    assert manifest["predicted"]["cycles_per_frame"] * manifest["predicted"][
        "frames_per_second"
    ] == pytest.approx(1e6 * manifest["fclk_mhz"])
