"""Connectors with a fault that loses rows: the suite for sources has to find it."""

from __future__ import annotations

from dataclasses import replace

from el_jsonlines import JsonLines

from el.connectors.buffer import Buffer
from el.connectors.request import Op, ReadRequest


class LosesTheBound(JsonLines):
    """Reads behind a lower bound where it should read from it on."""

    def read_buffer(self, request: ReadRequest) -> Buffer:
        where = (replace(each, op=Op.GT) if each.op is Op.GE else each for each in request.where)
        return super().read_buffer(replace(request, where=tuple(where)))
