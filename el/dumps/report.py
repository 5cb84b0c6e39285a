"""The plan of dumps, and what raw holds of them, as a page; the whole plan as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from el.dumps.express_text import form_of
from el.dumps.plan import DumpPlan, FileTask, JobPlan
from el.reporting.text import in_bytes

# So many files are named one by one.
_FEW = 5


def print_dumps(dumps: Sequence[DumpPlan], *, why: bool = False) -> None:
    """How many files of each entry are new, changed, waiting and unchanged; with `why` each by its name."""
    for dump in dumps:
        print(f"{dump.name}  ({dump.settings.files})  ->  {dump.raw_schema}.{dump.raw_table}")
        if dump.error is not None:
            continue
        changed = [task for task in dump.tasks if task.last is not None]
        new = [task for task in dump.tasks if task.last is None]
        size = f" ({_size(dump.tasks)})" if dump.tasks else ""
        print(
            f"  files     {len(new):,} new, {len(changed):,} changed, {len(dump.waiting):,} waiting, "
            f"{dump.unchanged:,} unchanged{size}"
        )
        if dump.stage is not None:
            first = ", after el has read each one to compare" if form_of(dump.settings) is not None else ""
            print(f"  way       express: the warehouse reads them by itself, out of the stage {dump.stage}{first}")
        elif dump.why_client is not None:
            print(f"  way       by the client: {dump.why_client}")
        _print_files("new", [str(task.file) for task in new], why)
        _print_files("changed", [f"{task.file}: {_changed(dump)}" for task in changed], why)
        _print_files("waiting", dump.waiting, why)
        for note in dump.notes:
            print(f"  note      {note}")
    for dump in dumps:
        if dump.error is not None:
            print(f"STOPPED {dump.name}: {dump.error}")


def print_dump_state(dumps: Sequence[DumpPlan]) -> None:
    """What raw holds of the files of each entry, and what the next run would take."""
    for dump in dumps:
        print(f"{dump.name}  ->  {dump.raw_schema}.{dump.raw_table}  (files)")
        loaded = [file for file in dump.known if file.status == "loaded"]
        rejected = sum(file.rejected for file in loaded)
        last = f"; last load {max(file.load_id for file in dump.known)}" if dump.known else ""
        print(
            f"  raw       {len(loaded):,} files, {sum(file.rows for file in loaded):,} rows, "
            f"{rejected:,} rejected records{last}"
        )
        if dump.error is not None:
            print(f"STOPPED {dump.name}: {dump.error}")
        else:
            print(f"  source    {len(dump.tasks):,} files to take, {len(dump.waiting):,} waiting")


def _print_files(what: str, names: Sequence[str], why: bool) -> None:
    shown = names if why else names[:_FEW]
    for name in shown:
        print(f"  {what:9} {name}")
    if len(names) > len(shown):
        print(f"  {what:9} and {len(names) - len(shown):,} more: `plan --why` names them")


def _changed(dump: DumpPlan) -> str:
    return {
        "fail": "it was loaded before, and fails if its bytes are others: `changed` says what to do then",
        "replace": "it was loaded before, and counts instead if its bytes are others",
        "append": "it was loaded before, and counts beside if its bytes are others",
    }[dump.settings.changed]


def _size(tasks: Sequence[FileTask]) -> str:
    return in_bytes(sum(task.file.size for task in tasks))


def plan_as_json(plan: JobPlan) -> str:
    """The plan as one JSON object: of each table and of each entry of `dumps` where it goes and what it would take."""
    tables = [
        {
            "table": str(table.name),
            "raw": f"{table.raw_schema}.{table.raw_table}",
            "strategy": table.strategy,
            "why": table.why,
            "guarantee": table.guarantee,
            "key": list(table.key),
            "takes": None if table.window is None else str(table.window.kind),
            "window": None if table.window is None else str(table.window),
            "rows": table.rows,
            "bytes": table.bytes,
            "slices": len(table.reads),
            "notes": list(table.notes),
            "stopped": table.stopped,
        }
        for table in plan.tables
    ]
    dumps = [
        {
            "dump": str(dump.name),
            "raw": f"{dump.raw_schema}.{dump.raw_table}",
            "files": [str(task.file) for task in dump.tasks],
            "waiting": list(dump.waiting),
            "notes": list(dump.notes),
            "stopped": None if dump.error is None else str(dump.error),
        }
        for dump in plan.dumps
    ]
    found = {"tables": tables, "dumps": dumps, "notes": list(plan.notes), "stopped": [str(r) for r in plan.refused]}
    return json.dumps(found, default=str, ensure_ascii=False)
