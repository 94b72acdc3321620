"""What `finn_build`, `quant` and `sweep` share, and the one command over all three."""
