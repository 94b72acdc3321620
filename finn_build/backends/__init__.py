"""One file for each tool that all builds use, one folder for each backend, registered here."""

# The backends, which make bitstreams: their names, as --tool takes them, and where each one's class
# is. A new one is a folder and a line here.
BACKENDS = {
    "openxc7": "finn_build.backends.openxc7.backend:OpenXC7",
    "vivado": "finn_build.backends.vivado.backend:Vivado",
    "finn": "finn_build.backends.finn.backend:Finn",
}
# Those that --tool auto looks for on this machine, in this order; the first that it finds is used.
AUTOMATIC = ("vivado", "openxc7")
