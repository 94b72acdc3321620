"""Training, quantisation and QONNX export of small CNNs for CIFAR-10."""
