"""FINN's own dataflow build of the same network, so that both accelerators can be compared."""
