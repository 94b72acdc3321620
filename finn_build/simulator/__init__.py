"""A simulated board: the Verilated chip behind a stand-in for pynq, under the driver as it is."""
