"""The vendor's own tool, run by scripts."""
