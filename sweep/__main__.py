"""Run the command line: python -m sweep."""

import warnings

from finn_build.system.program import ending

if __name__ == "__main__":
    # Brevitas says at every start that it lacks what only its equalisation would use.
    warnings.filterwarnings("ignore", message="fast_hadamard_transform")
    # Ctrl-C ends the seconds of importing as it ends everything after them.
    with ending(interrupted="interrupted"):
        from sweep.cli import main

        main()
