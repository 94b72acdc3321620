"""The steps of a build, one per file."""
