"""`python -m voltscope.engine NAME`."""

import sys

from voltscope.engine.main import main

if __name__ == "__main__":
    sys.exit(main())
