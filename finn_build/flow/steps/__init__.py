"""The steps of a build, one per file."""

# Their names in the order in which they are done, for the command line, which imports none of them.
ORDER = (
    "export",
    "streamline",
    "golden",
    "accuracy",
    "fold",
    "emit",
    "simulate",
    "synthesise",
    "netlist",
    "route",
    "bitstream",
    "deploy",
    "report",
)
