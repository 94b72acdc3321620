"""One tool per file: Verilator, Yosys; one folder for each way to a bitstream, registered here."""

# The ways to a bitstream, by the names that --tool takes, and where each one's class is. A new way
# is a folder and a line here.
BACKENDS = {
    "openxc7": "finn_build.backends.openxc7.backend:OpenXC7",
    "vivado": "finn_build.backends.vivado.backend:Vivado",
    "finn": "finn_build.backends.finn.backend:Finn",
}
# Those that --tool auto looks for on this machine; the first that is there is taken.
AUTOMATIC = ("vivado", "openxc7")
