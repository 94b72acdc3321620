"""Turn QONNX models into streaming accelerators: layers, folding, RTL, simulation, report."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finn_build.built import Built, build, load

__all__ = ["Built", "build", "load"]


def __getattr__(name: str) -> Any:
    """What `__all__` names, imported when it is first used: it takes most of the package along."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from headrace.quiet import quieten

    quieten()
    from finn_build import built

    return getattr(built, name)
