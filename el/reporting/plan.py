"""The plan as a page."""

from __future__ import annotations

from el.planning.plan import Plan, TablePlan
from el.reporting.text import in_bytes


def print_plan(plan: Plan) -> None:
    """For every table: strategy and why, key, rows and size as the catalog knows them, what will be taken."""
    for note in plan.notes:
        print(note)
    for right in plan.catalog.missing:
        print(f"right     not granted, needed for {right.needed_for}: {right.grant}")
    for table in plan.tables:
        rows = "?" if table.rows is None else f"{table.rows:,}"
        size = f", {in_bytes(table.bytes)}" if table.bytes is not None else ""
        print(f"{table.name}  ({rows} rows{size})  ->  {table.raw_schema}.{table.raw_table}")
        print(f"  strategy  {table.strategy}: {table.why}")
        print(f"  gives     {table.guarantee}")
        print(f"  key       {', '.join(table.key) or 'none: only whole snapshots can stand for its state'}")
        if table.equal is not None and (how := table.equal.words()):
            print(f"  compares  {how}")
        print(f"  takes     {_takes(table)}")
        if table.keys is not None:
            print("  deletes   the key set is read, and what is gone from it becomes D rows")
        if len(table.reads) > 1:
            print(f"  slices    {len(table.reads)}")
        for note in table.notes:
            print(f"  note      {note}")
    # Last, where they are seen: the tables above are taken all the same.
    stopped = [table.stopped for table in plan.tables if table.stopped is not None]
    for reason in (*stopped, *(str(refused) for refused in plan.refused)):
        print(f"STOPPED {reason}")
    if plan.stopped:
        print(f"{plan.stopped} of {len(plan.tables) + len(plan.refused)} tables are stopped; the others are taken")


def _takes(table: TablePlan) -> str:
    since = "never loaded" if table.last is None else f"last load {table.last.load_id}, {table.last.rows:,} rows"
    if table.stopped is not None:
        return f"nothing: it is stopped ({since})"
    if table.window is None:
        return f"nothing: no value went past the last bound ({since})"
    return f"{table.window.kind}: {table.window} ({since})"
