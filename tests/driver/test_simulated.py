"""The driver as it is over the Verilated chip: results, rates, soak, and every fault."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import builds
import numpy as np
import psutil
import pytest

from finn_build.driver import Accelerator, errors
from finn_build.simulator import board as boards

TIMEOUT_S = 2e-3  # of the chip's time; a job of 128 images takes 0.5 ms
HANGS_S = 1e-4


@pytest.fixture
def accelerator(simulated, written):
    with Accelerator(written, timeout_s=TIMEOUT_S) as made:
        yield made
    assert not simulated.Device.active_device.allocated


@pytest.fixture
def board(simulated, accelerator):
    return simulated.Device.active_device


def works(accelerator, tiny, count=150):
    labels, logits = accelerator.predict(tiny.images[:count], logits=True)
    assert np.array_equal(labels, tiny.expected.labels[:count])
    assert np.array_equal(logits, tiny.expected.logits[:count])
    return True


def test_every_logit_of_1600_real_images_is_the_golden_models(accelerator, tiny):
    assert len(tiny.images) == 1600 and works(accelerator, tiny, 1600)


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 256, 257])
def test_any_number_of_images(accelerator, tiny, count):
    assert works(accelerator, tiny, count)


def test_images_may_lie_anywhere_in_memory(accelerator, tiny):
    strided, mirrored = tiny.images[1:200:3], tiny.images[:20, :, ::-1]
    assert np.array_equal(accelerator.predict(strided), tiny.expected.labels[1:200:3])
    assert np.array_equal(
        accelerator.predict(mirrored), accelerator.predict(np.ascontiguousarray(mirrored))
    )


@pytest.mark.parametrize("step", ["flush", "invalidate"])
def test_without_cache_maintenance_results_would_be_wrong(
    simulated, accelerator, tiny, monkeypatch, step
):
    monkeypatch.setattr(simulated.PynqBuffer, step, lambda buffer: None)
    labels = accelerator.predict(tiny.images[:50])
    assert not np.array_equal(labels, tiny.expected.labels[:50])


def test_a_memory_port_of_32_bits_would_be_wrong(board, accelerator, tiny):
    board.access(0xF8008000, 1)
    labels = accelerator.predict(tiny.images[:50])
    assert not np.array_equal(labels, tiny.expected.labels[:50])


def test_the_rate_is_that_of_cycles_and_clock(accelerator, tiny):
    predicted = accelerator.manifest.predicted["frames_per_second"]
    made = accelerator.benchmark(batches=(1, 1, 3000), repeats=1, singles=5, images=tiny.images)
    _, one, many = made["throughput"]  # the first image has more registers to write
    assert many["frames_per_second"] == pytest.approx(predicted, rel=0.02)
    assert many["fabric_frames_per_second"] == pytest.approx(predicted, rel=0.02)
    assert many["fabric_frames_per_second"] >= many["frames_per_second"]
    assert one["frames_per_second"] < predicted / 2, "a single image has nothing to overlap with"
    counters = many["counters"]
    assert counters["stalled"] == 0 and counters["starved"] < 0.01 * counters["cycles"]
    times = made["latency"]["microseconds"]
    assert made["latency"]["fabric_us"] < times["p50"] <= times["p99"] <= times["max"]
    assert times["p50"] == pytest.approx(1e6 / one["frames_per_second"], rel=0.02)


def test_accesses_take_what_pythons_do_on_the_board(simulated, board, accelerator):
    """Estimates, as docs/board.md has them: 5 us by the array, 15 us by pynq's methods."""
    window, start = simulated.MMIO(0x4000_0000, 4096), board.clock()
    accelerator.registers.read("id")
    middle = board.clock()
    window.read(0)
    assert (middle - start, board.clock() - middle) == pytest.approx((5e-6, 15e-6), abs=2e-8)


def test_another_clock(board, accelerator, tiny):
    """The fabric's reset, in which it changes, also clears the registers."""
    assert works(accelerator, tiny, 128)
    accelerator.set_clock(50)
    assert board.mhz == accelerator.fclk_mhz == 50 and works(accelerator, tiny, 128)


def test_a_clock_that_changes_while_the_chip_runs_is_refused(simulated, accelerator):
    with pytest.raises(RuntimeError, match="FCLK0 changes while the chip runs"):
        simulated.Clocks.fclk0_mhz = 50


def test_the_chip_does_not_wait_for_the_host(accelerator, tiny):
    """Idle is the first job's copy and the last one's reading, whatever lies between."""
    made = accelerator.benchmark(batches=(128, 1024), repeats=1, singles=0, images=tiny.images)
    one, many = made["throughput"]
    idle = [row["idle_share"] * row["batch"] / row["frames_per_second"] for row in (one, many)]
    assert 0 < idle[1] < 1.05 * idle[0]


def soak(accelerator, tiny, draw, frames):
    """Call with so many frames or more, in calls of random size; returns frames and jobs."""
    done, jobs = 0, 0
    while done < frames:
        picks = draw.integers(len(tiny.images), size=draw.integers(1, 300))
        labels, logits = accelerator.predict(tiny.images[picks], logits=True)
        assert np.array_equal(labels, tiny.expected.labels[picks]), f"after {jobs} jobs"
        assert np.array_equal(logits, tiny.expected.logits[picks]), f"after {jobs} jobs"
        done, jobs = done + len(picks), jobs - (-len(picks) // accelerator.batch)
    return done, jobs


def test_a_soak_of_2000_frames(board, accelerator, tiny):
    draw, process, buffers = np.random.default_rng(11), psutil.Process(), dict(board.allocated)
    accelerator.reset()
    tracemalloc.start()
    frames, jobs = soak(accelerator, tiny, draw, 1000)
    held, resident = tracemalloc.get_traced_memory()[0], process.memory_info().rss
    more = soak(accelerator, tiny, draw, 1000)
    grown = tracemalloc.get_traced_memory()[0] - held
    tracemalloc.stop()
    assert grown < 4000, f"{grown} bytes more than after the first half, in Python"
    grown = process.memory_info().rss - resident
    assert grown < 1 << 20, f"{grown} bytes more than after the first half, in all"
    assert board.allocated == buffers
    frames, jobs = frames + more[0], jobs + more[1]
    counts = {name: accelerator.registers.read(name) for name in ("results", "jobs", "errors")}
    assert counts == {"results": frames, "jobs": jobs, "errors": 0}
    cycles = accelerator.counters()["cycles"]
    assert cycles >= frames * accelerator.manifest.predicted["cycles_per_frame"]


@pytest.mark.parametrize(
    ("side", "response", "name"),
    [
        ("source", 2, "read_slverr"),
        ("source", 3, "read_decerr"),
        ("target", 2, "write_slverr"),
        ("target", 3, "write_decerr"),
    ],
)
def test_an_error_of_the_memory_is_named(board, accelerator, tiny, side, response, name):
    buffer = getattr(accelerator._buffers.pair(128, 1), side)
    board.fault(buffer.device_address + 64, buffer.device_address + 72, response)
    with pytest.raises(errors.TransferError, match=f"job 2 ended with {name}: .* failed 0x2"):
        accelerator.predict(tiny.images[:300])
    board.fault()
    assert works(accelerator, tiny)


def test_a_job_that_never_ends_is_reset(board, accelerator, tiny):
    board.latency(1_000_000)  # the answer comes, but far too late
    accelerator.timeout_s = HANGS_S
    with pytest.raises(errors.JobTimeoutError) as caught:
        accelerator.predict(tiny.images[:300])
    message = str(caught.value)
    assert "job 1 of 128 images did not end within 0.0001 s, the chip was reset" in message
    board.latency(20)
    assert "id 0x48524143" in message and "jobs 0x0" in message and "status 0x3" in message
    accelerator.timeout_s = TIMEOUT_S
    assert works(accelerator, tiny)


def test_where_a_reset_does_not_end_the_bitstream_is_loaded_again(board, accelerator, tiny):
    board.block(True)
    accelerator.timeout_s = HANGS_S
    with pytest.raises(errors.JobTimeoutError, match="the bitstream was loaded again"):
        accelerator.predict(tiny.images[:5])
    accelerator.timeout_s = TIMEOUT_S
    assert works(accelerator, tiny)


@pytest.mark.parametrize("after", [1, 9, 30, 45])
def test_an_interrupted_call_leaves_a_working_one(board, accelerator, tiny, monkeypatch, after):
    count, access = 0, board.access

    def interrupts(*arguments, **options):
        nonlocal count
        count += 1
        if count == after:
            raise KeyboardInterrupt
        return access(*arguments, **options)

    monkeypatch.setattr(board, "access", interrupts)
    with pytest.raises(KeyboardInterrupt):
        accelerator.predict(tiny.images[:400])
    assert works(accelerator, tiny)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda images: images.astype(np.int8),
        lambda images: images / 255,
        lambda images: images[0],
        lambda images: images[:, :4],
        lambda images: images[:0],
    ],
    ids=["type", "range", "one", "shape", "none"],
)
def test_other_images_leave_a_working_call(accelerator, tiny, spoil):
    with pytest.raises(errors.ImagesError, match=r"tiny takes uint8, \(N, 8, 8, 3\)"):
        accelerator.predict(spoil(tiny.images))
    assert works(accelerator, tiny)


def test_closing_after_an_interrupt_stops_the_chip_first(simulated, written, tiny, monkeypatch):
    board = simulated.Device.active_device
    accelerator = Accelerator(written)
    access = board.access

    def interrupts(address, value=None, **options):
        if address == 0x40000040:
            raise KeyboardInterrupt
        return access(address, value, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(board, "access", interrupts)
        accelerator.predict(tiny.images[:256])
    target = accelerator._buffers.pair(128, 0).target
    accelerator.close()
    others = board.memory.copy()
    board.run(60_000)
    assert target.device_address and np.array_equal(board.memory, others)


def test_a_chip_that_is_none_of_ours(simulated, written, tiny):
    board = simulated.Device.active_device
    for address, value, error, message in (
        (
            0x40000000,
            0xDEADBEEF,
            errors.IdentityError,
            "id is 0xdeadbeef, headrace's is",
        ),
        (0x40000004, 2, errors.IdentityError, "version 2 of the registers, this"),
        (0x40000008, 64, errors.DeployError, "192 bytes in and 11 words out per"),
    ):
        board.registers[address] = value
        with pytest.raises(error, match=message):
            Accelerator(written)
        del board.registers[address]
        assert not board.allocated
    with Accelerator(written, timeout_s=TIMEOUT_S) as accelerator:
        assert works(accelerator, tiny)


def test_the_bitstream_of_another_model(simulated, written, tiny, tmp_path):
    """Beside the manifest of a network that differs in one weight."""
    *others, last, argmax = tiny.network.layers
    weights = last.weights.copy()
    weights[0, 0] = -weights[0, 0] or 1
    network = replace(tiny.network, layers=(*others, replace(last, weights=weights), argmax))
    built = builds.build(replace(tiny, network=network), tmp_path / "other")
    boards.furnish(built.path("deploy"), written / "tiny.so", tmp_path / "deploy")
    with pytest.raises(errors.ModelError) as caught:
        Accelerator(tmp_path / "deploy")
    says, holds = (
        json.loads((folder / "manifest.json").read_text())["model_hash"][:8]
        for folder in (tmp_path / "deploy", written)
    )
    assert f"the chip holds model {holds}, manifest.json says tiny {says}" in str(caught.value)
    assert not simulated.Device.active_device.allocated
    with Accelerator(written, timeout_s=TIMEOUT_S) as accelerator:
        assert works(accelerator, tiny)


def test_buffers_that_were_freed_before(simulated, written, tiny):
    board = simulated.Device.active_device
    accelerator = Accelerator(written, timeout_s=TIMEOUT_S)
    accelerator._buffers.pair(5, 0).source.freebuffer()
    with pytest.raises(errors.ClosedError, match="a buffer is not there any more"):
        accelerator.predict(tiny.images[:5])
    with pytest.raises(errors.ClosedError, match="1 of the buffers were freed before"):
        accelerator.close()
    accelerator.close()
    assert not board.allocated, "the others were not freed"
    with Accelerator(written, timeout_s=TIMEOUT_S) as another:
        assert works(another, tiny)


def test_no_memory_for_the_buffers(simulated, written):
    with pytest.raises(errors.BoardError, match="no memory for buffers of 1000000 images"):
        Accelerator(written, batch=1_000_000)
    assert not simulated.Device.active_device.allocated


def test_the_command_counts_what_the_golden_model_counts(written, tiny, environment, tmp_path):
    command = [sys.executable, written / "run.py", "accuracy"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / "results.json").read_text())
    right = tiny.expected.labels[:100] == tiny.truth[:100]
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (tiny.truth[:100], tiny.expected.labels[:100]), 1)
    assert made["accuracy"]["value"] == right.mean() and made["accuracy"]["images"] == 100
    assert made["accuracy"]["confusion"] == confusion.tolist()
    assert (made["where"], made["device"]) == ("simulated", "simulated board")
    assert f"{100 * right.mean():.2f} % of 100 images right" in done.stdout


GUIDE = (builds.REPO / "docs" / "board.md").read_text()


def test_the_program_of_the_guide_runs(simulated, written, tiny, environment, tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.S)
    assert "/home/xilinx/jupyter_notebooks/headrace" in program
    np.save(tmp_path / "images.npy", tiny.images[:70])
    text = program.replace("/home/xilinx/jupyter_notebooks/headrace", str(written))
    text = f"import numpy as np\nimages = np.load('images.npy')\n{text}"
    text += "np.savez('made.npz', labels=labels, logits=logits)\n"
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**environment, "PYTHONPATH": f"{environment['PYTHONPATH']}:{written}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "made.npz") as made:
        assert np.array_equal(made["labels"], tiny.expected.labels[:70])
        assert np.array_equal(made["logits"], tiny.expected.logits[:70])


def test_the_guide_copies_to_where_jupyter_looks():
    """The images' Jupyter shows that folder of the user's home and nothing outside of it."""
    (target,) = re.findall(r"scp -r \S+ xilinx@pynq:(\S+)", GUIDE)
    assert target.startswith("jupyter_notebooks/")
    assert f"cd /home/xilinx/{target}\n" in GUIDE


def test_the_guide_names_every_file_of_the_deploy_folder(written):
    table = GUIDE.split("## The deploy folder")[1].split("\n## ")[0]
    named = {
        name.rstrip("/")
        for row in re.findall(r"^\| (`.*?) \|", table, flags=re.M)
        for name in re.findall(r"`([^`]+)`", row)
    }
    there = {path.name for path in written.iterdir()} - {"tiny.so"}
    assert named == there | {"MODEL.bit", "README.md"}
