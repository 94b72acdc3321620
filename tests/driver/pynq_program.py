"""A program on a board with pynq's own code: `python pynq_program.py CASE.json`.

The case: version's folder, deploy folder, images, and what is to happen. Prints what did as JSON.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pynq_machine

REPO = Path(__file__).parents[2]


class Killed(BaseException):
    """In the place of SIGKILL."""


def simulated():
    """The simulated board, whose module pynq is not imported as that."""
    path = REPO / "finn_build" / "simulator" / "pynq" / "__init__.py"
    spec = importlib.util.spec_from_file_location("simulated_pynq", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulated_pynq"] = module
    spec.loader.exec_module(module)
    return module.Device.active_device


def serve(machine) -> None:
    """pynq 2.7's PL server, which the image starts: it outlives the programs."""
    try:
        from pynq.pl_server import server
    except ImportError:
        return
    server.PL_SERVER_TEMPLATE = str(machine.root / "{}.socket")
    if not hasattr(serve, "started"):
        serve.started = server.DeviceServer("embedded_xrt0")
        serve.started.start()


def program(case, machine, killed_at=None):
    """Import pynq and the driver anew, open the accelerator, classify, close."""
    for name in [n for n in sys.modules if n.split(".")[0] in ("pynq", "headrace_driver")]:
        del sys.modules[name]
    if case["xrt"] and case["pyxrt"]:
        serve(machine)
    with suppress(ImportError):
        from pynq.buffer import PynqBuffer

        # numpy 2 has an attribute of this name, which pynq, made for numpy 1, could not set.
        PynqBuffer.device = None
    from headrace_driver import Accelerator

    images = np.load(case["images"])
    accelerator = Accelerator(case["deploy"], timeout_s=30.0)
    machine.log.append(["open"])
    if killed_at is not None:
        access, start = machine.board.access, machine.board.clock()

        def dies(*arguments, **options):
            if machine.board.clock() - start >= killed_at:
                raise Killed
            return access(*arguments, **options)

        machine.board.access = dies
        try:
            accelerator.predict(images)
        except Killed:
            del machine.board.access
            return None
        raise AssertionError("the jobs ended before")
    for _ in range(case["opens"] - 1):
        accelerator.close()
        accelerator = Accelerator(case["deploy"], timeout_s=30.0)
    machine.log.append(["begin"])
    found = accelerator.predict(images, logits=True)
    machine.log.append(["many"])
    accelerator.predict(images[:1])
    machine.log.append(["one"])
    accelerator.close()
    machine.log.append(["closed", len(machine.board.allocated)])
    return found


def main(case):
    """Do what the case says; returns what is printed."""
    asyncio.set_event_loop(asyncio.new_event_loop())  # pynq asks for one as it loads
    warnings.simplefilter("always")
    board = simulated()
    readonly = Path(case["readonly"]) if case["readonly"] else None
    machine = pynq_machine.Machine(
        board, Path(case["root"]), root_user=case["root_user"], readonly=readonly
    )
    machine.boot(xrt=case["xrt"])
    if not case["pyxrt"]:
        sys.modules["pyxrt"] = None
    sys.path[:0] = [case["pynq"], str(Path(case["deploy"]).absolute())]
    made = {"error": None, "right": None}
    try:
        if case["before"]:
            program({**case, "deploy": case["before"]}, machine)
            shutil.rmtree(case["before"])
        if case["killed_at"] is not None:
            killed = program(case, machine, case["killed_at"])
            assert killed is None
            while not board.bursts[1]:  # a write, of which the port then has the address
                board.run(1)
            board.allocated.clear()  # by the kernel
            machine.log.append(["killed", sum(board.bursts)])
        labels, logits = program(case, machine)
        golden = np.load(case["expected"])
        made["right"] = bool(
            np.array_equal(labels, golden["labels"]) and np.array_equal(logits, golden["logits"])
        )
    except Exception as error:
        made["error"] = [type(error).__name__, str(error)]
    files = sorted(path.name for path in Path().iterdir())
    return {
        **made, "log": machine.log, "written": machine.written, "files": files,
        "cut": board.cut, "mhz": board.mhz, "registers": board.registers,
    }  # fmt: skip


if __name__ == "__main__":
    result = json.dumps(main(json.loads(Path(sys.argv[1]).read_text())))
    sys.stdout.write(f"\n{result}\n")
    sys.stdout.flush()
    os._exit(0)  # pynq 2.7's server would go on
