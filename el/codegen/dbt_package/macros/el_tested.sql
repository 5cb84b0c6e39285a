{% macro el_tested(source_name) -%}
    {%- set known = source(source_name, '_el_ledger'), source(source_name, '_dlt_loads') -%}
    {%- if not execute or target.name == 'source' -%}
        {{- return({'loads': {}, 'current': {}, 'required': {}}) -}}
    {%- endif -%}
    {%- set sources = el_known().setdefault('tested', {}) -%}
    {%- if source_name not in sources -%}
        {%- set found = {'loads': {}, 'current': {}, 'required': {}} -%}
        {%- set ledger = known[0] -%}
        {%- if el_relation(ledger) -%}
            {%- for row in run_query(el_tested_loads_sql(source_name)) -%}
                {%- do found['loads'].setdefault(row[0], []).append(row[1]) -%}
                {%- if row[2] -%}
                    {%- do found['current'].setdefault(row[0], []).append(row[1]) -%}
                {%- endif -%}
            {%- endfor -%}
            {%- for row in run_query(el_required_since_sql(source_name)) -%}
                {%- do found['required'].update({(row[0], row[1]): row[2]}) -%}
            {%- endfor -%}
        {%- endif -%}
        {%- do sources.update({source_name: found}) -%}
    {%- endif -%}
    {{- return(sources[source_name]) -}}
{%- endmacro %}


{% macro el_tested_loads_sql(source_name) -%}
    with el_complete as (
        select
            table_name,
            _dlt_load_id,
            max(finished_at) as finished_at,
            max(kind) as kind
        from {{ source(source_name, '_el_ledger') }}
        where _dlt_load_id in ({{ el_complete_loads(source_name) }})
        group by table_name, _dlt_load_id
    ),

    el_newest as (
        select
            table_name,
            max(finished_at) as finished_at,
            coalesce(max(case when kind = 'snapshot' then _dlt_load_id end), '') as snapshot_id
        from el_complete
        group by table_name
    )

    select
        el_complete.table_name,
        el_complete._dlt_load_id,
        case when el_complete._dlt_load_id >= el_newest.snapshot_id then 1 else 0 end as is_current
    from el_complete
    inner join el_newest on el_complete.table_name = el_newest.table_name
    {%- if var('el_tested_days', 3) %}
    where
        el_complete.finished_at >= {{ dbt.dateadd('day', -var('el_tested_days', 3), 'el_newest.finished_at') }}
    {%- endif %}
    order by el_complete.table_name, el_complete._dlt_load_id
{%- endmacro %}


{% macro el_required_since_sql(source_name) -%}
    with el_said as (
        select
            table_name,
            column_name,
            nullable,
            _dlt_load_id
        from {{ el_columns(source_name) }}
        where _dlt_load_id in ({{ el_complete_loads(source_name) }})
    ),

    el_optional as (
        select
            table_name,
            column_name,
            max(_dlt_load_id) as last_load
        from el_said
        where nullable
        group by table_name, column_name
    )

    select
        el_said.table_name,
        el_said.column_name,
        min(el_said._dlt_load_id) as first_load
    from el_said
    left join el_optional
        on el_said.table_name = el_optional.table_name
        and el_said.column_name = el_optional.column_name
    where
        not el_said.nullable
        and (el_optional.last_load is null or el_said._dlt_load_id > el_optional.last_load)
    group by el_said.table_name, el_said.column_name
{%- endmacro %}
