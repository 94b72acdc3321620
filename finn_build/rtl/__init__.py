"""The accelerator and its chip as SystemVerilog, memory images and registers."""
