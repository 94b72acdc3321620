"""The steps of a build, from a model to the folder for the board."""
