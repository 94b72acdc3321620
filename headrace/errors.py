"""The errors that headrace raises on purpose; each message says what, where and what would work.

    HeadraceError
    ├── ConfigError      what a user asks for, in words or in a file
    ├── finn_build       ModelError, FoldingError, ToolError, FileError, MismatchError
    ├── quant            DataError, CheckpointError, TrainingError, WriteError, ExportError
    └── sweep            UnreachableError, FailedError, TableError, EngineError

Each package has its own in its errors.py. The driver runs on boards without the rest, and has its
own tree. `headrace.ending` makes of any of them one message and the exit code 2.
"""


class HeadraceError(Exception):
    """Base of all errors."""


class ConfigError(HeadraceError):
    """An option, a key of a file or a name that does not exist or does not make sense."""
