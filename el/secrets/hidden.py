"""The secrets that this process has looked up, taken out of what it says."""

from __future__ import annotations

import base64
from html import escape
from urllib.parse import quote, quote_plus

from el.errors import CLEANERS

# Shorter values, which servers refuse as passwords, would be found in the midst of words.
_LEAST = 8

_known: set[str] = set()


def known(value: str) -> str:
    """This text, which is a secret: `hidden` takes it out from now on."""
    if len(value) >= _LEAST:
        _known.add(value)
        # A key is shown by some libraries a line at a time.
        _known.update(line for line in value.split("\n") if len(line) >= 24 and not line.startswith("-----"))
    return value


def hidden(text: str) -> str:
    """A text without the secrets that this process has looked up, in the forms in which programs quote them."""
    for value in sorted(_known, key=len, reverse=True):
        for form in (value, quote(value, safe=""), quote_plus(value), escape(value), repr(value)[1:-1], _base64(value)):
            text = text.replace(form, "***")
    return text


def _base64(value: str) -> str:
    return base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()


CLEANERS.append(hidden)
