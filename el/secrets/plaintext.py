"""Whether a text is a secret that lies open: by the name that it has, or by its own form.

Not one: what stands for a secret. That is a reference, a variable (`$NAME`, `${NAME}`, `%NAME%`, `{{ ... }}`), an
encrypted value (`ENC[...]`, `encrypted:...`), and what nobody signs in with: nothing, `<password>`, `***`, yes and no.
`changeme` is one, for servers have such passwords; but not in a file that is an example by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from el.secrets.references import is_reference

_ENDS = ("password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "credential", "credentials")
_WORDS = {"pass", "pat"}
# What stands before "key" where that is a secret one: a primary key is none.
_KEYS = {
    *("api", "access", "account", "private", "secret", "encryption", "encrypt", "signing", "mask", "master", "storage"),
    *("service", "client", "shared", "fernet", "hmac", "deploy", "ssh", "session"),
}
# The last word of what tells of a secret, and is none.
_ABOUT = {
    *("path", "file", "files", "dir", "folder", "name", "names", "id", "ids", "url", "uri", "endpoint", "host", "port"),
    *(
        "arn",
        "env",
        "var",
        "variable",
        "field",
        "column",
        "columns",
        "type",
        "length",
        "policy",
        "expiry",
        "ttl",
        "age",
    ),
    *("seconds", "minutes", "hours", "days", "count", "limit", "format", "hint", "rotation", "version", "enabled"),
    *("required", "provider", "authority", "audience", "scope", "algorithm", "cache", "ref", "reference", "command"),
}
_STANDS_FOR = re.compile(
    r"""<[^<>]*> | \$[A-Z_][A-Z0-9_]* | \$\([^()]*\) | \$\{\w+\} | \$?\{\{.*\}\} | %[A-Z_][A-Z0-9_]*% | `[^`]*`
    | ENC\[.* | encrypted:.* | env:\w+ | [*.…_-]+ | [xX]{3,}
    | (?i:true|false|yes|no|on|off|none|null) | ~""",
    re.VERBOSE | re.DOTALL,
)
_WITH_DEFAULT = re.compile(r"\$\{\w+:?([-=?+])(.*)\}", re.DOTALL)
_EXAMPLE = re.compile(
    r"(change|replace|insert|your|example|placeholder|dummy|todo|tbd|my[-_ ]|some[-_ ]|secret$|password$|token$).*",
    re.I,
)
# Every repetition has a bound, so that no text takes long.
_FORMS = (
    ("a private key", re.compile(r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)")),
    ("an identity of age", re.compile(r"(AGE-SECRET-KEY-1[0-9A-Z]{20})", re.IGNORECASE)),
    ("a password in an address", re.compile(r"[A-Za-z][\w+.-]{0,20}://[^\s/?#:@\"']{0,200}:([^\s/?#@\"']{1,500})@")),
    (
        "a token in an address",
        re.compile(r"[?&](?:sig|[\w-]{0,30}(?:signature|token)|password|pwd)=([^&\s\"'<>]{1,500})", re.IGNORECASE),
    ),
)
_IN_SETTINGS = re.compile(
    r"(?:^|[;\s\"'?&])(?:password|pwd|accountkey|sharedaccesskey|sharedaccesssignature) ?= ?([^;&\"'\s]{1,500})", re.I
)


def looks_secret(name: str) -> bool:
    """Whether a setting or a variable of this name is a secret."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    if not words or words[-1] in _ABOUT:
        return False
    if any(word in _WORDS or word.endswith(_ENDS) for word in words):
        return True
    return any(word == "key" and before in _KEYS for before, word in pairwise(words))


def lies_open(text: str, *, example: bool = False) -> bool:
    """Whether a secret's setting holds it itself. example: in a file that shows what to write."""
    text = text.strip()
    if not text or is_reference(text) or _STANDS_FOR.fullmatch(text):
        return False
    if default := _WITH_DEFAULT.fullmatch(text):
        return default[1] in "-=" and lies_open(default[2], example=example)
    return not (example and _EXAMPLE.match(text))


def secret_forms(text: str, holds: Callable[[str], bool] = lies_open) -> list[str]:
    """What secrets are in a text by their form, in words. holds: asked of what was found."""
    return [what for what, form in _FORMS if any(holds(found) for found in form.findall(text))]


def secret_settings(value: str, holds: Callable[[str], bool] = lies_open) -> list[str]:
    """The same of a setting's value, which may hold settings itself, as ODBC's connection strings do."""
    inside = any(holds(found) for found in _IN_SETTINGS.findall(value))
    return [*secret_forms(value, holds), *(["a password in a connection string"] if inside else [])]
