"""From a QONNX file to the integer network, in exact arithmetic.

`load` reads, checks and tidies a file. `read` walks along its graph and returns the network, with
integer weights and with integer thresholds that follow from the file's rational numbers alone.
"""

from finn_build.frontend.build import Tap
from finn_build.frontend.file import load
from finn_build.frontend.outputs import ask
from finn_build.frontend.shapes import with_shapes
from finn_build.frontend.tidy import scaled
from finn_build.frontend.walk import Reading, read

__all__ = ["Reading", "Tap", "ask", "load", "read", "scaled", "with_shapes"]
