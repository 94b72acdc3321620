"""From QONNX to the layer list, with FINN's transformations."""
