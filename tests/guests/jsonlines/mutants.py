"""Connectors with a fault that loses rows: the suite for sources has to find it."""

from __future__ import annotations

from dataclasses import replace

from el_jsonlines import Bytes, JsonLines
from el_jsonlines_log import Log, Logged

from el.connectors.buffer import Buffer
from el.connectors.catalog import Column
from el.connectors.request import FeedRead, Op, Position, ReadRequest, Split


class LosesTheBound(JsonLines):
    """Reads behind a lower bound where it should read from it on."""

    def read_buffer(self, request: ReadRequest) -> Buffer:
        where = (replace(each, op=Op.GT) if each.op is Op.GE else each for each in request.where)
        return super().read_buffer(replace(request, where=tuple(where)))


class CutsTheLastPart(JsonLines):
    """Ends its last part where the file ended when it was divided."""

    def splits(self, request: ReadRequest, wanted: int, by: Column | None) -> tuple[Split, ...]:
        assert request.table is not None
        *parts, last = super().splits(request, wanted, by)
        assert isinstance(last, Bytes)
        return (*parts, Bytes(last.begin, self.path(request.table).stat().st_size))


class _Forgetful(Log):
    def alive(self, since: Position) -> str | None:
        return None

    def read(self, since: Position, until: Position) -> tuple[FeedRead, ...]:
        return (Logged(max(int(since.text) + 1, self._log().first), int(until.text)),)


class ForgetsSilently(JsonLines):
    """Goes on with what its log still has."""

    feeds = (_Forgetful,)
