"""Driver of headrace's accelerators: needs numpy and the board's pynq, nothing else.

    from headrace_driver import Accelerator

    with Accelerator("deploy") as accelerator:
        labels = accelerator.predict(images)  # uint8, (N, 32, 32, 3)

Runs on Python 3.8, which PYNQ 2.7 has, and later.
"""

from .accelerator import Accelerator
from .errors import DriverError
from .version import VERSION

__all__ = ["Accelerator", "DriverError", "__version__"]
__version__ = VERSION
