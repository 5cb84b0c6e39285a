"""The SQL that compares a schema table with what it is made of, both in one warehouse: no row of either is read here.

Raw is cast as staging casts it, and each value is compared with the schema table's. Where equal values can differ in
what they show (0.0 and -0.0, an offset, a duration) their texts are compared too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from el.codegen.table_design import TypeName
from el.connectors.sql.select import Statement
from el.loading.warehouse import Warehouse
from el.types.mapping import TypeMapping


@dataclass(frozen=True, slots=True)
class Form:
    """What is compared of a column: of raw, and of the schema table; SQL with "{column}"."""

    raw: str
    model: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One column: its names in raw and in the schema table, and its forms; the first one is its value."""

    raw: str
    model: str
    forms: tuple[Form, ...] = (Form("{column}", "{column}"),)
    nullable: bool = False


def forms_of(warehouse: Warehouse, mapping: TypeMapping) -> tuple[Form, ...]:
    """What is compared of a column of this type."""
    if TypeName(mapping.target_duckdb.lower(), mapping.target_snowflake.lower()).is_document:
        return (Form(*warehouse.documents),)
    raw, target = warehouse.types_of(mapping)
    value = "{column}"
    if pa.types.is_string(mapping.arrow) and raw != target:
        value = f"CAST({{column}} AS {target})"
    elif not pa.types.is_floating(mapping.arrow) and getattr(mapping.arrow, "tz", None) is None:
        return (Form(value, value),)
    text = f"CAST(CAST({{column}} AS {target}) AS VARCHAR)"
    return (Form(value, "{column}"), Form(text, text))


@dataclass(frozen=True, slots=True)
class ModelSql:
    """The comparison of one schema table.

    raw, model: a query of the rows of either side, by their own names. key: what tells rows apart, () for nothing.
    once: raw gives each key once. without: a query of raw's keys that are left out on both sides.
    """

    warehouse: Warehouse
    raw: Statement
    model: Statement
    columns: Sequence[Compared]
    key: Sequence[Compared] = ()
    once: bool = False
    without: Statement | None = None

    def counts(self) -> Statement:
        """One row: rows of raw, of the schema table, missing, extra, different, and of each column how many differ."""
        if not self.key:
            return self._counted_counts()
        both = "e_nth IS NOT NULL AND m_nth IS NOT NULL"
        each = [f"COUNT(CASE WHEN {both} AND {self._differs(n)} THEN 1 END)" for n in range(len(self.columns))]
        shown = ", ".join(
            [
                "COUNT(e_nth)",
                "COUNT(m_nth)",
                "COUNT(CASE WHEN m_nth IS NULL THEN 1 END)",
                "COUNT(CASE WHEN e_nth IS NULL THEN 1 END)",
                f"COUNT(CASE WHEN {both} AND ({self._any()}) THEN 1 END)",
                *each,
            ]
        )
        return self._over_join(shown, "")

    def samples(self, shown: Sequence[int], most: int, *, values: bool) -> Statement:
        """Rows that differ, each: its kind, the key's columns (by number) as text, of each column whether it differs,
        with `values` each column as raw has it and as the schema table has it.
        """
        if not self.key:
            return self._counted_samples(most, values=values)
        kind = (
            "CASE WHEN m_nth IS NULL THEN 'missing' WHEN e_nth IS NULL AND m_nth > 1 THEN 'doubled' "
            "WHEN e_nth IS NULL THEN 'extra' ELSE 'different' END"
        )
        keys = [f"CAST(COALESCE(e{n}_0, m{n}_0) AS VARCHAR)" for n in shown]
        marks = [f"CASE WHEN {self._differs(n)} THEN 1 ELSE 0 END" for n in range(len(self.columns))]
        pairs = [f"CAST({side}{n}_0 AS VARCHAR)" for n in range(len(self.columns)) for side in "em"] if values else []
        order = ", ".join(f"COALESCE(e{n}_0, m{n}_0)" for n in shown) or "1"
        differs = f"WHERE e_nth IS NULL OR m_nth IS NULL OR {self._any()} ORDER BY {order}, m_nth LIMIT {most}"
        return self._over_join(", ".join([kind, *keys, *marks, *pairs]), differs)

    def _differs(self, number: int) -> str:
        forms = range(len(self.columns[number].forms))
        return "(" + " OR ".join(f"e{number}_{f} IS DISTINCT FROM m{number}_{f}" for f in forms) + ")"

    def _any(self) -> str:
        return " OR ".join(self._differs(n) for n in range(len(self.columns)))

    def _over_join(self, shown: str, rest: str) -> Statement:
        raw, model = self._side("e"), self._side("m")
        on = " AND ".join(f"e.ek{n} = m.mk{n}" for n in range(len(self._joined())))
        sql = f"SELECT {shown} FROM ({raw.sql}) AS e FULL JOIN ({model.sql}) AS m ON {on} AND e.e_nth = m.m_nth {rest}"
        return Statement(sql.rstrip(), (*raw.parameters, *model.parameters))

    def _side(self, side: str) -> Statement:
        """The compared columns of one side by number, what it is joined by, and which of the rows with a key it is."""
        held = self.raw if side == "e" else self.model
        shown = [f"{sql} AS {side}{n}_{f}" for n, f, sql in self._forms(side)]
        joined = self._joined(side)
        shown += [f"{sql} AS {side}k{n}" for n, sql in enumerate(joined)]
        keys = ", ".join(joined)
        numbered = f"ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY {keys})"
        shown.append(f"{'1' if self.once and side == 'e' else numbered} AS {side}_nth")
        sql, parameters = f"SELECT {', '.join(shown)} FROM ({held.sql}) AS {side}q", held.parameters
        if self.without is not None:
            named = [f"{sql} AS lk{n}" for n, sql in enumerate(self._joined())]
            late = f"SELECT DISTINCT {', '.join(named)} FROM ({self.without.sql}) AS lq"
            same = " AND ".join(f"s.{side}k{n} = l.lk{n}" for n in range(len(joined)))
            sql = f"SELECT s.* FROM ({sql}) AS s LEFT JOIN ({late}) AS l ON {same} WHERE l.lk0 IS NULL"
            parameters = (*parameters, *self.without.parameters)
        return Statement(sql, parameters)

    def _forms(self, side: str) -> list[tuple[int, int, str]]:
        return [
            (n, f, self._put(form.raw, column.raw) if side == "e" else self._put(form.model, column.model))
            for n, column in enumerate(self.columns)
            for f, form in enumerate(column.forms)
        ]

    def _put(self, sql: str, column: str) -> str:
        return sql.replace("{column}", self.warehouse.column(column))

    def _joined(self, side: str = "e") -> list[str]:
        """What rows are joined by: equal where the keys are, and never NULL, so that a hash finds them."""
        found = []
        for key in self.key:
            form = key.forms[0]
            value = self._put(form.raw, key.raw) if side == "e" else self._put(form.model, key.model)
            found += (
                [f"COALESCE(CAST({value} AS VARCHAR), '')", f"CASE WHEN {value} IS NULL THEN 1 ELSE 0 END"]
                if key.nullable
                else [value]
            )
        return found

    def _counted(self) -> Statement:
        """Of rows without a key: each content, and how often raw has it more often than the schema table."""
        names = ", ".join(f"c{n}_{f}" for n, f, _ in self._forms("e"))
        sides = []
        for side, held, sign in (("e", self.raw, 1), ("m", self.model, -1)):
            shown = ", ".join(f"{sql} AS c{n}_{f}" for n, f, sql in self._forms(side))
            sides.append(f"SELECT {shown}, {sign} AS el_n FROM ({held.sql}) AS {side}q")
        each = "SUM(el_n) AS el_n, COUNT(CASE WHEN el_n > 0 THEN 1 END) AS el_e"
        sql = f"SELECT {names}, {each}, COUNT(*) AS el_all FROM ({' UNION ALL '.join(sides)}) AS u GROUP BY {names}"
        return Statement(sql, (*self.raw.parameters, *self.model.parameters))

    def _counted_counts(self) -> Statement:
        counted = self._counted()
        more, fewer = (f"COALESCE(SUM(CASE WHEN el_n {op} 0 THEN ABS(el_n) END), 0)" for op in "><")
        sides = "COALESCE(SUM(el_e), 0), COALESCE(SUM(el_all - el_e), 0)"
        nothing = ", 0" * (1 + len(self.columns))
        return Statement(f"SELECT {sides}, {more}, {fewer}{nothing} FROM ({counted.sql}) AS d", counted.parameters)

    def _counted_samples(self, most: int, *, values: bool) -> Statement:
        counted = self._counted()
        kind = "CASE WHEN el_n > 0 THEN 'missing' ELSE 'extra' END"
        whole = [f"CAST(c{n}_0 AS VARCHAR)" for n in range(len(self.columns))] if values else []
        order = ", ".join(str(n + 1) for n in range(1 + len(whole)))
        found = f"SELECT {', '.join([kind, *whole])} FROM ({counted.sql}) AS d WHERE el_n <> 0"
        return Statement(f"{found} ORDER BY {order} LIMIT {most}", counted.parameters)
