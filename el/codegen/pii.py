"""What a reader of staging sees of a table with personal data: a second view, in the place of the first one.

The view that has all columns goes into a schema of its own, from which the schema tables are built; in the schema that
readers of staging are granted, its name is taken by a view without the columns that el.yml calls personal. With
`dbt: {pii: policy}` Snowflake's has them too, each under a masking policy that stands in the very statement that makes
the view. So no moment shows them, however often dbt makes the view anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from el.codegen.dumps import type_name
from el.codegen.files import GeneratedFile
from el.codegen.table_design import LANDING, TableDesign
from el.codegen.yaml_text import Inline, plain, to_yaml
from el.config.settings import Config
from el.connectors.base import Source
from el.connectors.rights import policy_name
from el.errors import PlanError
from el.planning.columns import plan_columns
from el.planning.keys import KEY_COLUMN
from el.planning.naming import normalise
from el.planning.selection import Chosen

STAGING = "staging"
"""The schema of the staging views."""
PII_STAGING = "staging_pii"
"""The schema of the staging views that show personal data; no reader of staging is granted it."""


@dataclass(frozen=True, slots=True)
class PiiColumn:
    """A column with personal data. kind: which, as el.yml says; type: Snowflake's, if a policy is to mask it."""

    name: str
    kind: str
    type: str | None = None

    @property
    def policy(self) -> str | None:
        """The name of its masking policy: there is one for each type, since a policy gives back what it takes."""
        return policy_name(self.type) if self.type is not None else None


@dataclass(frozen=True, slots=True)
class MaskedView:
    """The view that takes the place of a staging view."""

    staging: str  # dbt's name of the view with all columns, and the name of both in the warehouse
    columns: Sequence[str]  # of that view, in order
    pii: Sequence[PiiColumn]
    about: str  # the source table
    group: str | None = None

    @property
    def name(self) -> str:
        """dbt's name."""
        return f"{self.staging}__masked"

    def files(self, source: str) -> list[GeneratedFile]:
        """Its SQL, and what is said of it."""
        path = PurePosixPath("models", "staging", normalise(source), self.name)
        return [
            GeneratedFile(path.with_suffix(".sql"), self._sql(), self.about, self.about),
            GeneratedFile(path.with_suffix(".yml"), self._yaml(), self.about, self.about),
        ]

    def _sql(self) -> str:
        found = {column.name: column for column in self.pii}
        lines = []
        for number, name in enumerate(self.columns, 1):
            comma = "," if number < len(self.columns) else ""
            if name not in found:
                lines.append(f"    {name}{comma}")
            elif found[name].policy is not None:
                lines += ["    {%- if target.type == 'snowflake' %}", f"    {name}{comma}", "    {%- endif %}"]
        body = "\n".join(lines)
        return f"select\n{body}\nfrom {{{{ ref('{self.staging}') }}}}\n"

    def _yaml(self) -> str:
        kinds = {column.name: column.kind for column in self.pii}
        shown = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
        masked = [column for column in self.pii if column.policy is not None]
        how = "masked on Snowflake, left out elsewhere" if masked else "left out"
        settings: dict[str, Any] = {"schema": STAGING, "alias": self.staging, "materialized": "view"}
        if self.group is not None:
            settings |= {"group": self.group, "access": "private"}
        settings["meta"] = {
            "el_pii": {
                "of": self.staging,
                "kinds": Inline(kinds),
                "policies": Inline({column.name: column.policy for column in masked}),
            }
        }
        text = f"{self.about} for readers of staging. Personal data, {how}: {shown}."
        return to_yaml(
            {"version": 2, "models": [{"name": self.name, "description": plain(text), "config": settings}]}
        ).replace("version: 2\n", "version: 2\n\n", 1)


def masked_view(table: TableDesign, *, policies: bool) -> MaskedView | None:
    """That of a table; None where it holds no personal data. policies: Snowflake's view has them, under policies."""
    pii = [PiiColumn(c.name, c.pii, c.type.snowflake if policies else None) for c in table.columns if c.pii]
    if not pii:
        return None
    names = [column.name for column in table.shown]
    personal = {column.name for column in pii}
    # The key's text has the value in it, and so has the position where the value is the cursor.
    names += [KEY_COLUMN] if table.told_by == (KEY_COLUMN,) and not personal & set(table.key) else []
    names += [name for name in LANDING if name != "_el_position" or table.ordered_by not in personal]
    return MaskedView(table.staging, names, pii, str(table.table.name), table.models[0].schema)


def masked_types(config: Config, source: Source | None, chosen: Sequence[Chosen]) -> tuple[str, ...]:
    """Snowflake's types of all columns that are to stand under a policy; none without `dbt: {pii: policy}`.

    source: need not be open; None where no table is taken.
    """
    if config.dbt.pii != "policy":
        return ()
    found = {
        type_name(entry.types[column]).snowflake if column in entry.types else "varchar"
        for entry in config.dumps
        for column in entry.pii
    }
    for item in chosen:
        personal = {name for name, each in item.settings.columns.items() if each.pii}
        if source is None or item.error is not None or not personal:
            continue
        try:
            plans = plan_columns(config, source, item.table, item.settings)
        except PlanError:
            # No view is made of it either.
            continue
        found |= {plan.mapping.target_snowflake.lower() for plan in plans if plan.source.name in personal}
    return tuple(sorted(found))
