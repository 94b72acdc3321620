"""One training in several processes, as `torchrun` starts them: gloo on CPU, NCCL on CUDA.

In a single process every function here is the identity or does nothing.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from typing import TypeVar, cast

import torch
from rich.console import Console
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from quant.errors import ConfigError

T = TypeVar("T")


def join(device: str) -> str:
    """Choose the device, and join the other processes if `torchrun` started this one.

    Call it once, at the start.

    Args:
        device: auto, cpu or cuda; auto is CUDA where there is a GPU.

    Returns:
        The device of this process as PyTorch names it: each of several on CUDA has its own.

    Raises:
        ConfigError: if there is no such device, or there are more processes than GPUs.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"--device {device}: not known; use auto, cpu or cuda")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: PyTorch sees no GPU here; use cpu")
    if not dist.is_torchelastic_launched():
        return device
    if device == "cuda":
        local, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= gpus:
            raise ConfigError(
                f"torchrun: process {local + 1} of this machine has no GPU of its own; "
                f"use --nproc-per-node {gpus}"
            )
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    dist.init_process_group("gloo" if device == "cpu" else "nccl")
    atexit.register(dist.destroy_process_group)
    return device


def count() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def console(given: Console | None) -> Console:
    """Where the first process prints, on stderr if nothing is given; the others are quiet."""
    return (given or Console(stderr=True)) if rank() == 0 else Console(quiet=True)


def part(batch: Tensor) -> Tensor:
    """The rows of `batch` (N, ...) that this process trains on; `count` divides N."""
    return batch.chunk(count())[rank()]


def wait() -> None:
    """Wait until every process is here."""
    if dist.is_initialized():
        dist.barrier()


def mean(values: Tensor) -> Tensor:
    """Mean of the values over the processes, in their shape; all get it, and NaN if one has NaN."""
    if not dist.is_initialized():
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / count()


def wrap(module: nn.Module) -> nn.Module:
    """`module`, its gradients those of the mean loss over the processes."""
    return DistributedDataParallel(module) if dist.is_initialized() else module


@torch.no_grad()
def same(model: nn.Module) -> None:
    """Give the model of every process the state of the first's.

    Batch statistics differ: each process has seen its part of the batches.
    """
    if dist.is_initialized():
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, src=0)


def once(make: Callable[[], T]) -> T:
    """What `make` returns in the first process, which alone calls it; all others get a copy."""
    if not dist.is_initialized():
        return make()
    box = [make() if rank() == 0 else None]
    dist.broadcast_object_list(box, src=0)
    return cast(T, box[0])


def device_name(device: torch.device) -> str:
    """What trains, for records: the GPU or the threads, and the processes if there are several."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        threads = torch.get_num_threads()
        name = f"{device.type}, {threads} thread{'s' * (threads > 1)}"
    return name if count() == 1 else f"{name}, {count()} processes"
