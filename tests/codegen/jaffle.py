"""A dbt project that was there before el, laid out as dbt's example `jaffle-shop`: seeds, staging, marts, macros."""

from __future__ import annotations

from pathlib import Path

FILES = {
    "dbt_project.yml": """\
# The project of the analysts.
name: jaffle_shop
version: "3.0.0"
config-version: 2
require-dbt-version: ">=1.9.0"
profile: jaffle

model-paths: ["models"]
seed-paths: ["seeds"]
macro-paths: ["macros"]
snapshot-paths: ["snapshots"]
target-path: "target"
clean-targets: ["target", "dbt_packages"]

flags: {fail_fast: false}
query-comment: {comment: "{{ node.name }} by jaffle", append: true}
dispatch:
  - {macro_namespace: dbt, search_order: [jaffle_shop, tools, dbt]}
quoting: {identifier: true}

vars: {truncate_timespan_to: "2024-01-01"}

on-run-start: "{{ log('begin', info=false) }}"   # ours

seeds:
  jaffle_shop: {+schema: raw}
models:
  jaffle_shop:
    +materialized: table
    +tags: [analysts]
    staging: {+materialized: view, +schema: stage}
    marts: {+materialized: table, +schema: marts}
""",
    "packages.yml": "packages:\n  - local: tools\n",
    "dbt_packages/tools/dbt_project.yml": "name: tools\nversion: 1.0.0\nconfig-version: 2\n",
    "dbt_packages/tools/macros/tools.sql": "{% macro cents(column) %}({{ column }} / 100){% endmacro %}\n",
    "macros/cents_to_dollars.sql": "{% macro cents_to_dollars(name) %}round(1.0 * {{ name }} / 100, 2){% endmacro %}\n",
    "macros/generate_schema_name.sql": """\
{% macro generate_schema_name(custom_schema_name, node) %}
    {% set default_schema = target.schema %}
    {% if node.resource_type == 'seed' %}
        {{ custom_schema_name | trim }}
    {% elif custom_schema_name is none %}
        {{ default_schema }}
    {% elif target.name == 'prod' %}
        {{ default_schema }}_{{ custom_schema_name | trim }}
    {% else %}
        {{ default_schema }}
    {% endif %}
{% endmacro %}
""",
    "macros/grants.sql": """\
{% macro apply_grants(relation, grant_config, should_revoke=True) %}
    {% if target.type != 'duckdb' %}{{ dbt.apply_grants(relation, grant_config, should_revoke) }}{% endif %}
{% endmacro %}
""",
    "seeds/raw_customers.csv": "id,name\n1,Ann\n2,Ben\n3,Cy\n",
    "seeds/raw_orders.csv": "id,customer,placed,total\n1,1,2024-01-03,1250\n2,1,2024-01-04,900\n3,3,2024-01-09,100\n",
    "models/staging/__sources.yml": """\
version: 2
sources:
  - name: ecom
    schema: raw
    tables: [{name: raw_customers}, {name: raw_orders}]
""",
    "models/staging/stg_customers.sql": """\
-- depends_on: {{ ref('raw_customers') }}
select id as customer_id, name as customer_name from {{ source('ecom', 'raw_customers') }}
""",
    "models/staging/stg_orders.sql": """\
-- depends_on: {{ ref('raw_orders') }}
select id as order_id, customer as customer_id, placed as ordered_at, {{ cents_to_dollars('total') }} as order_total
from {{ source('ecom', 'raw_orders') }}
""",
    "models/staging/stg_orders.yml": """\
models:
  - name: stg_orders
    columns: [{name: order_id, data_tests: [not_null, unique]}]
  - name: stg_customers
    columns: [{name: customer_id, data_tests: [not_null, unique]}]
""",
    "models/marts/customers.sql": """\
select customers.customer_id, customer_name, count(order_id) as orders
from {{ ref('stg_customers') }} as customers left join {{ ref('orders') }} as orders using (customer_id)
group by all
""",
    "models/marts/orders.sql": """\
{{ config(materialized='incremental', unique_key='order_id') }}
select * from {{ ref('stg_orders') }}
{% if is_incremental() %}where ordered_at >= (select max(ordered_at) from {{ this }}){% endif %}
""",
    "models/marts/marts.yml": """\
models:
  - name: customers
    description: One row a customer.
    columns:
      - {name: customer_id, data_tests: [not_null, unique]}
      - {name: customer_name, data_tests: [{accepted_values: {arguments: {values: [Ann, Ben, Cy]}}}]}
  - name: orders
    config: {group: sales}
    columns:
      - name: customer_id
        data_tests: [{relationships: {arguments: {to: "ref('stg_customers')", field: customer_id}}}]
groups:
  - {name: sales, owner: {name: analysts}}
""",
    "snapshots/names.sql": """\
{% snapshot names %}
{{ config(unique_key='customer_id', strategy='check', check_cols='all', schema='history') }}
select * from {{ ref('stg_customers') }}
{% endsnapshot %}
""",
    "tests/no_order_without_total.sql": "select * from {{ ref('orders') }} where order_total is null\n",
}


def put(folder: Path) -> None:
    """The project into a folder."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
