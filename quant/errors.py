"""The errors of `quant`: each message says what is wrong, where, and what would work.

HeadraceError        headrace/errors.py has the whole tree
├── ConfigError      a network, quantisation or training that cannot be built
├── DataError        a data set that is missing or corrupt
├── CheckpointError  a checkpoint or record that is missing, corrupt or another's
├── TrainingError    a training that cannot go on
├── WriteError       a file that cannot be written
└── ExportError      a graph that does not compute what its model does
"""

from headrace.errors import ConfigError as ConfigError
from headrace.errors import HeadraceError as HeadraceError


class DataError(HeadraceError):
    """A data set that is missing, corrupt or of another layout."""


class CheckpointError(HeadraceError):
    """A checkpoint or record that is missing, corrupt or of another network."""


class TrainingError(HeadraceError):
    """A training that cannot go on, because its numbers are no longer finite."""


class WriteError(HeadraceError):
    """A file that cannot be written; what was there before is intact."""


class ExportError(HeadraceError):
    """A model whose exported graph does not compute what the model computes."""
