{% test raw_equals_ledger(model, source_name, table) %}

with tested as (
    select min(in_days._dlt_load_id) as first_load
    from ({{ el_tested_loads(source_name, table) }}) as in_days
),

ledger as (
    select
        _dlt_load_id,
        sum(row_count) as row_count
    from {{ source(source_name, '_el_ledger') }}
    where
        table_name = '{{ table }}'
        and _dlt_load_id >= (select first_load from tested)
    group by _dlt_load_id
),

raw_rows as (
    select
        _dlt_load_id,
        count(*) as row_count
    from {{ model }}
    where _dlt_load_id >= (select first_load from tested)
    group by _dlt_load_id
)

select
    loads.load_id,
    coalesce(ledger.row_count, 0) as rows_in_ledger,
    coalesce(raw_rows.row_count, 0) as rows_in_raw
from ({{ el_complete_loads(source_name) }}) as loads
left join ledger on loads.load_id = ledger._dlt_load_id
left join raw_rows on loads.load_id = raw_rows._dlt_load_id
where coalesce(ledger.row_count, 0) <> coalesce(raw_rows.row_count, 0)

{% endtest %}
