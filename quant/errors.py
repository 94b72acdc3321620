"""The errors of `quant`: each message says what is wrong, where, and what would work."""


class QuantError(Exception):
    """Base of every error that a user of `quant` can cause or mend."""


class ConfigError(QuantError):
    """A network, quantisation or training configuration that cannot be built."""


class DataError(QuantError):
    """A data set that is missing, corrupt or of another layout."""


class CheckpointError(QuantError):
    """A checkpoint or record that is missing, corrupt or of another network."""


class TrainingError(QuantError):
    """A training that cannot go on, because its numbers are no longer finite."""


class WriteError(QuantError):
    """A file that cannot be written; what was there before is intact."""


class ExportError(QuantError):
    """A model whose exported graph does not compute what the model computes."""
