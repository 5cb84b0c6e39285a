"""The plan as a page: one line a table; the reasons for who asks; what stops comes last, where it is seen."""

from __future__ import annotations

from collections.abc import Sequence

from el.connectors.note import MayLose
from el.connectors.request import Isolation
from el.planning.plan import Plan, TablePlan
from el.planning.strategies.window import Kind
from el.reporting.text import FEW, gathered, in_bytes

LONG = 40
"""A name that is longer moves its own line alone."""


def print_plan(plan: Plan, *, why: bool = False) -> None:
    """What will be taken, how, and why. Without `why`: a line a table, and what may be lost."""
    for note in plan.notes:
        print(note)
    for right in plan.catalog.missing:
        print(f"right not granted, needed for {right.needed_for}: {right.grant}")
    notes = [(str(table.name), note) for table in plan.tables for note in table.notes]
    if why:
        common = _common(notes)
        for table in plan.tables:
            _print_reasons(table, common)
        shown = [(table, note) for table, note in notes if note in common]
    else:
        _print_lines(plan.tables)
        shown = [(table, note) for table, note in notes if isinstance(note, MayLose)]
        shown += [(str(table.name), said) for table in plan.tables if (said := _keys_later(table)) is not None]
    for line in gathered(shown):
        print(f"! {line}" if not why else f"note: {line}")
    if not why and (marked := len({table for table, note in notes if not isinstance(note, MayLose)})):
        print(f"* {marked} {'table has' if marked == 1 else 'tables have'} notes: `plan --why` shows them")
    _print_stopped(plan)


def _common(notes: Sequence[tuple[str, str]]) -> set[str]:
    """Those that more than a few tables have."""
    texts = [note for _, note in notes]
    return {note for note in texts if texts.count(note) > FEW}


def _print_lines(tables: Sequence[TablePlan]) -> None:
    head = ("", "table", "strategy", "rows", "takes")
    lines: list[tuple[str, ...]] = []
    for table in tables:
        rows = "?" if table.rows is None else f"{table.rows:,}"
        lines.append((_mark(table), str(table.name), table.strategy, rows, _takes(table)))
    widths = [max(len(line[at]) for line in (head, *lines) if len(line[at]) <= LONG) for at in range(len(head))]
    into = None
    for number, (mark, name, strategy, rows, takes) in enumerate((head, *lines)):
        if number and (schema := tables[number - 1].raw_schema) != into:
            into = schema
            print(f"into {into}")
        print(f"{mark:1} {name:{widths[1]}}  {strategy:{widths[2]}}  {rows:>{widths[3]}}  {takes}".rstrip())


def _mark(table: TablePlan) -> str:
    if any(isinstance(note, MayLose) for note in table.notes):
        return "!"
    return "*" if table.notes else ""


def _takes(table: TablePlan) -> str:
    """In a few words."""
    window = table.window
    if table.stopped is not None:
        return "stopped"
    if window is None:
        found = "keys alone" if table.keys is not None else "nothing new"
    elif window.kind is Kind.SNAPSHOT:
        found = "new snapshot" if table.anew else "snapshot"
    else:
        found = f"delta from {_short(str(window.lower))}" if window.lower is not None else "delta"
    if table.keys is not None and window is not None:
        found += ", keys"
    if len(table.reads) > 1:
        found += f", {len(table.reads)} slices"
    plain = str(table.name.name)
    return found if table.raw_table == plain else f"{found}, as {table.raw_table}"


def _short(bound: str) -> str:
    """Without a fraction of zeros."""
    whole, dot, fraction = bound.partition(".")
    return whole if dot and not fraction.strip("0") else bound


def _keys_later(table: TablePlan) -> str | None:
    due = table.keys_not_before
    return None if due is None else f"keys: not before {due:%Y-%m-%d %H:%M} UTC"


def _print_reasons(table: TablePlan, common: set[str]) -> None:
    """Strategy and why, key, rows and size as the catalog knows them, what will be taken."""
    rows = "?" if table.rows is None else f"{table.rows:,}"
    size = f", {in_bytes(table.bytes)}" if table.bytes is not None else ""
    print(f"{table.name}  ({rows} rows{size})  ->  {table.raw_schema}.{table.raw_table}")
    print(f"  strategy  {table.strategy}: {table.why}")
    print(f"  gives     {table.guarantee}")
    print(f"  key       {', '.join(table.key) or 'none: only whole snapshots can stand for its state'}")
    if table.equal is not None and (how := table.equal.words()):
        print(f"  compares  {how}")
    print(f"  takes     {_window(table)}")
    print(f"  sees      {table.consistency.words(snapshot=table.isolation is Isolation.SNAPSHOT)}")
    if table.keys is not None:
        print("  deletes   the key set is read, and what is gone from it becomes D rows")
    elif (later := _keys_later(table)) is not None:
        print(f"  deletes   {later}")
    if len(table.reads) > 1:
        print(f"  slices    {len(table.reads)}")
    for note in table.notes:
        if note not in common:
            print(f"  note      {note}")


def _window(table: TablePlan) -> str:
    since = "never loaded" if table.last is None else f"last load {table.last.load_id}, {table.last.rows:,} rows"
    if table.last is None and table.anew:
        since = "loaded before"
    if table.stopped is not None:
        return f"nothing: it is stopped ({since})"
    if table.window is None:
        return f"nothing: no value went past the last bound ({since})"
    return f"{table.window.kind}: {table.window} ({since})"


def _print_stopped(plan: Plan) -> None:
    """Last, where they are seen: the tables above are taken all the same."""
    stopped = [table.stopped for table in plan.tables if table.stopped is not None]
    for reason in (*stopped, *(str(refused) for refused in plan.refused)):
        print(f"STOPPED {reason}")
    if plan.stopped:
        print(f"{plan.stopped} of {len(plan.tables) + len(plan.refused)} tables are stopped; the others are taken")
