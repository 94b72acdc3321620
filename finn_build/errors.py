"""Every error that headrace raises on purpose; the command line prints the message and exits."""


class HeadraceError(Exception):
    """Base of all errors below. The message says what, where, and what would work."""


class ConfigError(HeadraceError):
    """An option, a board or a model name that does not exist or does not make sense."""


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
