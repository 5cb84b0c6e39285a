"""`python -m el COMMAND`."""

from el.cli.app import leave, main

if __name__ == "__main__":
    leave(main())
