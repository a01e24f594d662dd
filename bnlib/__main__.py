"""python -m bnlib: see `bnlib.command`."""

import sys

from bnlib.command import main

if __name__ == "__main__":
    sys.exit(main())
