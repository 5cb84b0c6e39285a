"""A comparison as the record of runs has it: a row of `_el_runs`, a page, metrics and notices, as of every run.

Guarantee: no key and no value of the data is kept; what an error said may hold one, so its kind alone is.
"""

from __future__ import annotations

from datetime import UTC, datetime

from el.loading.runs import Runs
from el.reporting.record import TableVerified
from el.reporting.summary import RunReport
from el.verification.report import Found, Verdict, VerifyReport, sample_line

# By the exit code, how a comparison ended; one that met an error has failed.
_RESULTS = {0: "done", 1: "undecided", 4: "different"}


def note_in_runs(runs: Runs, report: VerifyReport) -> None:
    """Note what was found; of a table that was not due nothing was."""
    seconds = (datetime.now(UTC) - report.started).total_seconds()
    verified = [kept(found) for found in report.tables if found.verdict is not Verdict.NOT_DUE]
    result = "failed" if any(each.failed for each in verified) else _RESULTS[report.exit_code]
    ended = RunReport(report.run_id, report.started, seconds, (), exit_code=report.exit_code)
    runs.note(ended, result, verified)


def kept(found: Found) -> TableVerified:
    """One table. What shows rows by their keys goes along, and is left out of what is stored."""
    counts = found.counts
    why = kept_why(found)
    told = [f"{found.method}: {found.how}"] if found.how else []
    told += [f"verified through {found.verified_through}"] if found.verified_through else []
    return TableVerified(
        # A table stands once with the source, and once with each schema table.
        table=" -> ".join(found.ends) if found.of_model else found.table,
        verdict=str(found.verdict),
        method="" if found.verdict is Verdict.REFUSED else str(found.method),
        raw="" if found.of_model else found.raw,
        strategy=str(found.strategy),
        sides=found.sides,
        through=None if found.bound is None else f"{found.bound_column or 'position'} {found.bound}",
        load_id=found.load_id,
        source_rows=counts.source,
        raw_rows=counts.raw,
        compared=counts.compared,
        equal=counts.equal,
        late=counts.late,
        missing=counts.missing,
        extra=counts.extra,
        different=counts.different,
        gone=counts.gone,
        columns=tuple(f"{name} ({rows:,})" for name, rows in found.columns.items()),
        not_compared=tuple(f"{name}: {reason}" for name, reason in found.not_compared.items()),
        why=why or None,
        notes=(*told, *found.notes),
        advice=found.advice or None,
        failed=found.failed or None,
        seconds=found.seconds,
        error=found.why if found.why != why else None,
        examples=tuple(sample_line(sample, found.sides) for sample in found.samples),
        again=found.statements,
    )


def kept_why(found: Found) -> str:
    """Why, without what a server or a library said: that may name a value."""
    return f"{found.failed}: what it said is in the output of that verify alone" if found.failed else found.why
