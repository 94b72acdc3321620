"""Every error that the driver raises on purpose: what, where, and what would work."""


class DriverError(Exception):
    """Base of all errors below."""


class DeployError(DriverError):
    """A file of the deploy folder that is missing, damaged or does not belong to the others."""


class BoardError(DriverError):
    """No pynq, one that is too old, or a board that does not do what it was told."""


class IdentityError(DriverError):
    """The registers are not headrace's, or of another version of this interface."""


class ModelError(DriverError):
    """The chip holds another model than the manifest says."""


class TransferError(DriverError):
    """The memory answered a read or a write of the chip with an error."""


class JobTimeoutError(DriverError):
    """A job that did not end in time."""


class ImagesError(DriverError):
    """Images of another shape or type than the model takes, or none."""


class ClosedError(DriverError):
    """An accelerator that was closed, or buffers that somebody else freed."""


class PictureError(DriverError):
    """A file that is no picture, or cannot be read without Pillow."""


class ResultsError(DriverError):
    """A results.json that is damaged or of another version."""
