"""The commands of `quant` alone, as its records name them: python -m quant."""

from headrace.__main__ import main

if __name__ == "__main__":
    main("quant.cli")
