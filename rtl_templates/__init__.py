"""SystemVerilog modules of the accelerator; finn_build copies them as they are."""
