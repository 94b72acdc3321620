"""Run the command line: python -m finn_build."""

from finn_build.cli import main

main()
