"""Run the command line: python -m finn_build."""

from finn_build.system.program import ending

if __name__ == "__main__":
    # Ctrl-C ends the seconds of importing as it ends everything after them.
    with ending(interrupted="interrupted"):
        from finn_build.cli import main

        main()
