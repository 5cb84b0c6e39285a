"""A page's table of types, written from the rules of the types: `python -m el.reporting.types_page [PAGE [SOURCE]]`.

Guarantee: what stands between the two marks is made of the rules; nothing else of the page is touched.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from el.connectors.type_rules import render_markdown

# A page has room for one table; docs/types.md for that of the source that most of its readers have.
SOURCE = "sqlserver"
# What has no row of its own: it is decided by what it is made of, or refused.
BESIDE = {
    SOURCE: """
Alias types travel as their base type, computed columns as the type of what they compute. CLR types of your own are
refused: `cast: varbinary(max)` carries their bytes, `cast: nvarchar(max)` what their ToString() gives.
"""
}
BEGIN, END = "<!-- types:begin -->", "<!-- types:end -->"


def rendered(page: str, source: str = SOURCE) -> str:
    """`page` with the table of this source's types as it is now. Raises `ValueError` where the marks are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} and {END}")
    return f"{before}{begin}\n{render_markdown(source)}{BESIDE.get(source, '')}{end}{after}"


def main(arguments: Sequence[str]) -> int:
    """Write the table into the page that is named, by default docs/types.md here."""
    path = Path(arguments[0] if arguments else "docs/types.md")
    path.write_text(rendered(path.read_text(encoding="utf-8"), *arguments[1:2]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
