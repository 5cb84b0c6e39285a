"""Fields of items in staging, by `el run`, `el codegen` and dbt: promoted or picked, of every type what was put."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import yaml

from tests.connectors.dynamodb.conftest import Shop
from tests.connectors.dynamodb.test_reading import DIGITS
from tests.dbt.project import Project, copy_project

# A field's type in el.yml, what is put, and what the model shall have.
FIELDS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "whole": ("bigint", {"N": "-9223372036854775808"}, -9223372036854775808),
    "large": ("decimal(38,0)", {"N": DIGITS}, Decimal(DIGITS)),
    "money": ("decimal(38,10)", {"N": "1234567890123456.2500000001"}, Decimal("1234567890123456.2500000001")),
    "real": ("double", {"N": "1.7976931348623157E+120"}, 1.7976931348623157e120),
    "digits": ("varchar", {"S": "007"}, "007"),
    "words": ("varchar", {"S": 'Größe 日本 😀 " \\ / {"N":"1"}'}, 'Größe 日本 😀 " \\ / {"N":"1"}'),
    "nothing": ("varchar", {"S": ""}, ""),
    "yes": ("boolean", {"BOOL": True}, True),
    "no": ("boolean", {"BOOL": False}, False),
    "octets": ("binary", {"B": bytes(range(256))}, bytes(range(256))),
    "day": ("date", {"S": "2024-02-29"}, date(2024, 2, 29)),
    "clock": ("timestamp", {"S": "2024-02-29T23:59:59.123456"}, datetime(2024, 2, 29, 23, 59, 59, 123456)),
    "instant": ("timestamptz", {"S": "2024-02-29T23:59:59Z"}, datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)),
    "absent": ("bigint", {"NULL": True}, None),
}


@pytest.mark.soak  # a whole build by dbt
def test_promoted_and_picked_fields_of_every_type_are_in_the_model_what_was_put(shop: Shop) -> None:
    copy_project(shop.folder, generated=False)
    shop.store.table("orders")
    inside = {name: value for name, (_, value, _) in FIELDS.items()}
    shop.store.put("orders", {"id": {"S": "1"}, "o": {"M": inside}})
    ways = {"promote": "p", "pick": "q"}
    settings = ", ".join(
        f"{way}: "
        + json.dumps(
            {f"{short}_{name}": {"path": f"o.{name}", "type": type_} for name, (type_, _, _) in FIELDS.items()}
        )
        for way, short in ways.items()
    )
    shop.take(f"orders, {settings}")
    profiles = yaml.safe_load((shop.folder / "profiles.yml").read_text())
    profiles["warehouse"] = {"target": "local", "outputs": {"local": profiles["warehouse"]["outputs"]["it"]}}
    (shop.folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    taken = shop.run()["orders"]
    assert taken["status"] == "loaded", taken
    assert "orders" in shop.el("codegen", "--project-dir", "dbt_project")
    states = Project(shop.folder).dbt("build")
    assert not {"fail", "error", "warn"} & set(states.values()), states
    for short in ways.values():
        (row,) = shop.raw(f"SELECT {', '.join(f'{short}_{name}' for name in FIELDS)} FROM dynamodb.orders")
        assert dict(zip(FIELDS, row, strict=True)) == {name: wanted for name, (_, _, wanted) in FIELDS.items()}
    ((text,),) = shop.raw("SELECT CAST(document AS VARCHAR) FROM raw.orders")
    assert json.loads(text)["o"]["M"]["large"] == {"N": DIGITS}
