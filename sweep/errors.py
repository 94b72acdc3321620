"""The errors of `sweep`: each message says what is wrong, where, and what would work.

HeadraceError         headrace/errors.py has the whole tree
├── ConfigError       a sweep.toml that is not one, or contradicts itself
├── UnreachableError  constraints that no candidate meets
├── FailedError       a search of which nothing was finished, or a job that ended
├── TableError        a trial table of another sweep, in use, or none
└── EngineError       a cluster that does not answer
"""

from headrace.errors import ConfigError as ConfigError
from headrace.errors import HeadraceError as HeadraceError


class UnreachableError(HeadraceError):
    """Constraints that no candidate meets; names the nearest one."""


class FailedError(HeadraceError):
    """A search of which no trial was finished, or a training whose processes ended."""


class TableError(HeadraceError):
    """A trial table that is of another sweep, in use, or not a trial table."""


class EngineError(HeadraceError):
    """A cluster that does not answer, or Ray that is not there."""
