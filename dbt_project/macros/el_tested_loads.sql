{% macro el_tested_loads(source_name, table) -%}
    select ledger._dlt_load_id
    from {{ source(source_name, '_el_ledger') }} as ledger
    where
        ledger.table_name = '{{ table }}'
        and ledger._dlt_load_id in ({{ el_complete_loads(source_name) }})
        {%- if var('el_tested_days', 3) %}
        and ledger.finished_at >= (
            select {{ dbt.dateadd('day', -var('el_tested_days', 3), 'max(newest.finished_at)') }}
            from {{ source(source_name, '_el_ledger') }} as newest
            where newest.table_name = '{{ table }}'
        )
        {%- endif %}
{%- endmacro %}
