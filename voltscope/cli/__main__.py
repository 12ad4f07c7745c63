"""`python -m voltscope.cli`: the command line where the `voltscope` script is not on PATH."""

import sys

from voltscope.cli import main

if __name__ == "__main__":
    sys.exit(main())
