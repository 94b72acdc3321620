#!/usr/bin/env python3
"""Run the accelerator on the board: python3 run.py --help lists what there is to run."""

import sys
from pathlib import Path

from headrace_driver.command import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
