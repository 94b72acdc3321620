"""The network: its layers, what they compute, and the comparison with everything else."""
