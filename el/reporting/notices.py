"""Notices to a webhook: what failed, what differs, what is late.

Guarantees: a trouble is told once, again after `repeat`, and once more when it is over; one that could not be told is
told by the next run. The address stands in no message, and nothing that goes wrong here fails a run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from el.config.telling import NotifySettings
from el.errors import ServerUnreachable, of_table
from el.planning.plan import Plan
from el.reporting.record import VERIFY, RunRecord

# What has looked at the source and left nothing of it behind.
GOOD = ("loaded", "unchanged", "nothing new")
_ANSWER = 10.0
# How a run, or a comparison, ends that could begin.
_CAME_TO_ITS_END = ("done", "different", "undecided")
# Before the name of a table of which not the load failed.
_COMPARED = "verify of "
# So many troubles stand in one notice.
_MOST = 20
# How the name of a host ends -> the form it takes.
_FORMS = {
    "hooks.slack.com": "slack",
    ".logic.azure.com": "teams",
    ".webhook.office.com": "teams",
    ".api.powerplatform.com": "teams",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What someone has to look at. about: the table, or the command; kind: failure | difference | late."""

    kind: str
    about: str
    text: str

    @property
    def key(self) -> str:
        """The same trouble is told once."""
        return f"{self.kind} {self.about}"


class Notices:
    """Tells a webhook of a run. state: the file that remembers what was told; history: earlier runs, oldest first."""

    def __init__(self, settings: NotifySettings, state: Path, history: Callable[[], Sequence[RunRecord]]) -> None:
        self.settings, self.state, self.history = settings, state, history
        self._loaded: dict[str, datetime] = {}  # table -> when raw was last loaded with it, by the ledger

    def planned(self, plan: Plan) -> None:
        """Remember what the ledger says of each table.

        Raises as `resolve` where the environment lacks the address: better now than when there is something to tell.
        """
        for table in plan.tables:
            if table.last is not None and table.last.finished_at is not None:
                self._loaded[str(table.name)] = table.last.finished_at.replace(tzinfo=UTC)
        if self.settings.webhook.startswith("env:"):
            self.settings.address()

    def ended(self, record: RunRecord) -> None:
        """Tell what is new, and what is over. Raises `ServerUnreachable`, and as `resolve`."""
        found = {each.key: each for each in self.troubles(record) if each.kind in self.settings.on}
        told = self._told()
        now = datetime.now(UTC)
        new = [each for key, each in found.items() if key not in told or now - told[key] >= self.settings.repeat]
        over = sorted(key for key in told if key not in found and self._looked_at(key, record))
        if new or over:
            self._send(record, new, over)
            kept = {key: when for key, when in told.items() if key not in over}
            kept.update({each.key: now for each in new})
            self.state.parent.mkdir(parents=True, exist_ok=True)
            self.state.write_text(json.dumps({key: when.isoformat() for key, when in kept.items()}))

    def troubles(self, record: RunRecord) -> list[Trouble]:
        """All that someone has to look at."""
        found = [Trouble("failure", table.table, of_table(table.table, str(table.error))) for table in record.failed]
        if record.in_trouble and record.error is not None:
            found.insert(0, Trouble("failure", record.command, " ".join(filter(None, (record.error, record.advice)))))
        for each in record.differing:
            count = f"{each.missing:,} missing, {each.extra:,} extra, {each.different:,} different"
            one, other = each.sides
            said = f"{each.table}: rows {one} and {other} are not the same: {count}"
            said += f"; {each.why}" if each.why else ""
            found.append(Trouble("difference", each.table, said))
        for each in record.broken:
            text = f"{each.table}: the comparison or its repair failed: {each.why or each.failed}"
            found.append(Trouble("failure", f"{_COMPARED}{each.table}", text))
        return found + self._killed(record) + self._late(record)

    def _killed(self, record: RunRecord) -> list[Trouble]:
        """The run before, if it was killed: it could not tell so itself."""
        before = [each for each in self.history() if each.run_id != record.run_id and each.result != "running"][-1:]
        return [
            Trouble("failure", f"run {each.run_id}", f"run {each.run_id} was killed: {each.error}")
            for each in before
            if each.result == "killed"
        ]

    def _late(self, record: RunRecord) -> list[Trouble]:
        if not self.settings.late_after or record.command != "run":
            return []
        history = [each for each in self.history() if each.run_id != record.run_id and each.tables]
        # A run that could not plan says nothing of its tables: they are those of the one before.
        here = record.tables or (history[-1].tables if history else ())
        good = dict(self._loaded)
        first: dict[str, datetime] = {}
        for each in (*history, record):
            for table in each.tables:
                first.setdefault(table.table, each.started)
                if table.status in GOOD:
                    good[table.table] = max(each.started, good.get(table.table, each.started))
        now, found = record.started + timedelta(seconds=record.seconds), []
        for name in sorted({table.table for table in here}):
            allowed = self.settings.allowed(name)
            since = good.get(name, first.get(name, now))
            if allowed is not None and now - since > allowed:
                text = (
                    f"{name}: last taken at {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC, allowed are {_words(allowed)}"
                )
                found.append(Trouble("late", name, text))
        return found

    def _looked_at(self, key: str, record: RunRecord) -> bool:
        """Whether this run would have found that trouble again."""
        kind, _, about = key.partition(" ")
        if kind == "difference":
            # What could not be decided is not over.
            return any(each.table == about and each.is_equal for each in record.verified)
        if about.startswith(_COMPARED):
            return any(about == f"{_COMPARED}{each.table}" for each in record.verified)
        if about in ("run", VERIFY):
            return about == record.command and record.result in _CAME_TO_ITS_END
        return any(table.table == about and table.status in GOOD for table in record.tables)

    def _told(self) -> dict[str, datetime]:
        with suppress(OSError, ValueError, AttributeError, TypeError):
            return {key: datetime.fromisoformat(when) for key, when in json.loads(self.state.read_text()).items()}
        return {}

    def _send(self, record: RunRecord, new: Sequence[Trouble], over: Sequence[str]) -> None:
        import requests

        address = self.settings.address()
        body = notice(record, new, over, self.settings.form or form_of(address))
        where = f"the notice could not be sent to {self.settings.webhook}"
        try:
            answer = requests.post(address, json=body, timeout=_ANSWER, allow_redirects=False)
        except (requests.RequestException, ValueError) as error:
            # Its text has the address.
            raise ServerUnreachable(f"{where}: {type(error).__name__}; the next run tries again") from None
        if answer.status_code >= 300:
            raise ServerUnreachable(f"{where}: it answered {answer.status_code}; the next run tries again")


def notice(record: RunRecord, new: Sequence[Trouble], over: Sequence[str], form: str) -> dict[str, Any]:
    """What is posted: a notice in Slack's form, in that of Teams, or as an object for a program."""
    lines = [f"{each.kind}: {each.text}" for each in new[:_MOST]]
    lines += [f"and {len(new) - _MOST} more"] if len(new) > _MOST else []
    lines += [f"over: {each}" for each in over[:_MOST]]
    head = f"el: {record.source} to {record.destination}, {record.command} {record.run_id}: {record.result}"
    look = f"python -m el runs show {record.run_id}"
    text = "\n".join([head, *(f"• {line}" for line in lines), look])
    if form == "slack":
        # What stands in angle brackets would be a link or a mention there.
        return {"text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}
    if form == "teams":
        return _card(head, lines, look)
    troubles = [{"kind": each.kind, "about": each.about, "text": each.text} for each in new]
    about = {"run_id": record.run_id, "command": record.command, "result": record.result}
    return {
        "text": text,
        **about,
        "source": record.source,
        "destination": record.destination,
        "troubles": troubles,
        "over": list(over),
    }


def form_of(address: str) -> str:
    """How who listens at this address wants it."""
    host = (urlsplit(address).hostname or "").lower()
    return next((form for end, form in _FORMS.items() if host.endswith(end)), "json")


def _card(head: str, lines: Sequence[str], look: str) -> dict[str, Any]:
    def block(text: str, **more: Any) -> dict[str, Any]:
        return {"type": "TextBlock", "text": text, "wrap": True, **more}

    body = [block(head, weight="Bolder"), *(block(line) for line in lines), block(look, fontType="Monospace")]
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    card = {"contentType": "application/vnd.microsoft.card.adaptive", "content": content}
    return {"type": "message", "attachments": [card]}


def _words(time: timedelta) -> str:
    seconds = int(time.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
