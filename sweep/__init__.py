"""Search bits, filters and folding of a network together, on one machine or a cluster."""
