"""Turn QONNX models into streaming accelerators: layers, folding, RTL, simulation, report."""
