{% test el_no_misfits(model, source_name, tables) %}

{%- set loads = el_tested(source_name)['current'] %}

select
    ledger.table_name,
    ledger._dlt_load_id,
    ledger.misfits
from {{ model }} as ledger
where
    ledger.misfits is not null
    and (
        1 = 0
        {%- for table in tables if table in loads %}
        or (
            ledger.table_name = '{{ table }}'
            and {{ el_in_loads('ledger._dlt_load_id', source_name, loads[table]) }}
        )
        {%- endfor %}
    )

{% endtest %}
