"""One tool per file: Verilator, Yosys, and the ways to a bitstream."""
