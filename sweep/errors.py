"""The errors of `sweep`: each message says what is wrong, where, and what would work."""


class SweepError(Exception):
    """Base of every error that a user of `sweep` can cause or mend."""


class ConfigError(SweepError):
    """A sweep.toml that is not one, or whose space is empty or contradicts itself."""


class UnreachableError(SweepError):
    """Constraints that no candidate meets; names the nearest one."""


class TableError(SweepError):
    """A trial table that is of another sweep, in use, or not a trial table."""


class EngineError(SweepError):
    """A cluster that does not answer, or Ray that is not there."""
