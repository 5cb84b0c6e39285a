"""`python -m el.run`: the same as `python -m el run`."""

import sys

from el.cli.app import leave, main

if __name__ == "__main__":
    leave(main(["run", *sys.argv[1:]]))
