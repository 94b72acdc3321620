"""The commands of `sweep` alone, as its records name them: python -m sweep."""

from headrace.__main__ import main

if __name__ == "__main__":
    main("sweep.cli")
