"""Training, quantisation and QONNX export of small CNNs: the command line's verbs as functions."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quant.calls import Made, Score, export, networks, pack, prune, score, train

__all__ = ["Made", "Score", "export", "networks", "pack", "prune", "score", "train"]


def __getattr__(name: str) -> Any:
    """What `__all__` names, imported when it is first used: it takes PyTorch along."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from headrace.quiet import quieten

    quieten()
    from quant import calls

    return getattr(calls, name)
