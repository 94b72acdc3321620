"""Yosys as SymbiYosys calls it, `-ql LOG SCRIPT`, by the library that builds use.

The program of the wheel that SymbiYosys comes in is WebAssembly: compiling it takes a minute.
"""

import sys

from pyosys import libyosys

if __name__ == "__main__":
    _, log, script = sys.argv[1:]
    libyosys.run_pass(f"tee -q -o {log} script {script}", libyosys.Design())
