"""The commands as a page, out of the parser that reads them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from el.cli.app import _parser
from site_pages.markdown import row

INTRO = """# Commands

`python -m el COMMAND`, or `el COMMAND` where the package is installed. `python -m el.run` is `python -m el run`. This
page is made of the parser that reads them.

| exit code | what |
|---|---|
| 0 | done |
| 1 | data or load failed |
| 2 | configuration |
| 3 | connection or rights |
| 4 | verification found differences; no command ends so yet |
| 5 | of `changed`: there is nothing to build |
| 130 | interrupted: what was loaded stays valid, and the next run goes on |
"""


def commands(root: Path) -> str:
    """The page: a section for each command, with its flags."""
    del root
    return INTRO + "\n" + "\n".join(_section(name, told, parser) for name, told, parser in every_command())


def every_command(
    parser: argparse.ArgumentParser | None = None, above: str = ""
) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Each command with its words, what its help says in one line, and its parser; those that only lead on as well."""
    for action in (parser or _parser())._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, below in action.choices.items():
                yield f"{above} {name}".strip(), helps.get(name, ""), below
                yield from every_command(below, f"{above} {name}".strip())


def _section(name: str, told: str, parser: argparse.ArgumentParser) -> str:
    rows = [
        row(_written(action), _what(action))
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction | argparse._HelpAction)
    ]
    table = "| argument | what |\n|---|---|\n" + "".join(rows) if rows else ""
    end = f"\n{_sentence(parser.epilog)}\n" if parser.epilog else ""
    return f"{'#' * (2 + name.count(' '))} {name}\n\n{_sentence(told)}\n\n{table}{end}"


def _written(action: argparse.Action) -> str:
    choices = "|".join(map(str, action.choices)) if action.choices else ""
    value = action.metavar or choices or ("" if action.nargs == 0 else action.dest.upper())
    value = " ".join(value) if isinstance(value, tuple) else value
    more = " ..." if action.nargs in ("+", "*", argparse.REMAINDER) else ""
    name = ", ".join(action.option_strings)
    return f"<code>{' '.join(filter(None, (name, str(value) + more if value or more else '')))}</code>"


def _what(action: argparse.Action) -> str:
    said = _sentence(action.help or "")
    if action.metavar and action.choices and not all(str(choice) in said for choice in action.choices):
        said += " One of " + ", ".join(f"`{choice}`" for choice in action.choices) + "."
    return f"{said} Required." if action.required and action.option_strings else said


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "...")) or not text else ".")
