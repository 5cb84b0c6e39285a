"""`python -m el COMMAND`."""

import sys

from el.cli import main

sys.exit(main())
