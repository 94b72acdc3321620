"""The errors of `finn_build`: each message says what is wrong, where, and what would work.

HeadraceError        headrace/errors.py has the whole tree
├── ConfigError      an option, a board or a model name that does not exist or make sense
├── ModelError       a network that cannot be turned into hardware
├── FoldingError     no legal folding
├── ToolError        an external tool that is missing or failed
├── FileError        a file that cannot be written or read
└── MismatchError    two stages that must agree do not
"""

from headrace.errors import ConfigError as ConfigError
from headrace.errors import HeadraceError as HeadraceError


class ModelError(HeadraceError):
    """A network that cannot be turned into hardware: the node, the reason, what is supported."""


class FoldingError(HeadraceError):
    """No legal folding: by how much the budget is missed, or which value is illegal."""


class ToolError(HeadraceError):
    """An external tool that is missing, too old, or failed; names its log file."""


class FileError(HeadraceError):
    """A file that cannot be written or read: a full disk, no access, a file for a folder."""


class MismatchError(HeadraceError):
    """Two stages that must agree bit for bit do not; names where the difference begins."""
