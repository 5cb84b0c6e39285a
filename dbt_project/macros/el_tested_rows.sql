{% macro el_tested_rows(model, source_name, table, kinds="'S', 'U'") -%}
    {%- if target.name == 'source' -%}
    {{ model }}
    {%- else -%}
    (
        select landed.*
        from {{ model }} as landed
        where
            landed._el_op in ({{ kinds }})
            and landed._dlt_load_id in ({{ el_tested_loads(source_name, table) }})
            and landed._dlt_load_id >= (
                select coalesce(max(snapshots._dlt_load_id), '')
                from ({{ el_loads(source_name, table) }}) as snapshots
                where snapshots.kind = 'snapshot'
            )
    )
    {%- endif -%}
{%- endmacro %}
