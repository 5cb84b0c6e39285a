"""`python -m el.run`: the same as `python -m el run`."""

import sys

from el.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
