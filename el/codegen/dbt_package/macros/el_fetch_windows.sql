{% macro el_fetch_windows(source_name, readers, whole=false) -%}
    {%- set known = el_known() -%}
    {%- set ledger = source(source_name, '_el_ledger') -%}
    {%- if not whole -%}
        {%- do known['fetched'].update({source_name: readers | map(attribute='id') | list}) -%}
    {%- endif -%}
    {%- if readers and el_relation(ledger) -%}
        {%- set of = {} -%}
        {%- for reader in readers -%}
            {%- do of.update({(reader.model, reader.table): reader}) -%}
            {%- do known['windows'].pop((reader.id, source_name, reader.table), none) -%}
        {%- endfor -%}
        {%- for row in run_query(el_windows_sql(source_name, of.keys() | list, el_notes(), whole or flags.FULL_REFRESH)) -%}
            {%- set reader = of[(row[0], row[1])] -%}
            {%- set window = known['windows'].setdefault(
                (reader.id, source_name, reader.table), {'model': reader.model, 'noted': row[5], 'loads': []}
            ) -%}
            {%- do window['loads'].append({'id': row[2], 'kind': row[3], 'taken': row[4]}) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}


{% macro el_windows_sql(source_name, pairs, notes, whole) -%}
    with el_complete as (
        select
            table_name,
            _dlt_load_id,
            max(kind) as kind
        from {{ source(source_name, '_el_ledger') }}
        where _dlt_load_id in ({{ el_complete_loads(source_name) }})
        group by table_name, _dlt_load_id
    ),

    el_readers as (
        {{ el_rows(['model', 'table_name'], pairs) }}
    ),

    el_taken as (
        {%- if notes %}
        select distinct
            model,
            load_id
        from {{ notes }}
        where state = 'taken'
        {%- else %}
        select
            cast(null as varchar) as model,
            cast(null as varchar) as load_id
        where 1 = 0
        {%- endif %}
    ),

    el_read as (
        select
            el_readers.model,
            el_readers.table_name,
            el_complete._dlt_load_id,
            el_complete.kind,
            case when el_taken.load_id is null then 0 else 1 end as taken
        from el_readers
        inner join el_complete on el_readers.table_name = el_complete.table_name
        left join el_taken
            on el_readers.model = el_taken.model
            and el_complete._dlt_load_id = el_taken.load_id
    ),

    el_bounds as (
        select
            model,
            table_name,
            min({{ '_dlt_load_id' if whole else 'case when taken = 0 then _dlt_load_id end' }}) as first_load,
            sum(taken) as noted
        from el_read
        group by model, table_name
    )

    select
        el_read.model,
        el_read.table_name,
        el_read._dlt_load_id,
        el_read.kind,
        el_read.taken,
        el_bounds.noted
    from el_read
    inner join el_bounds
        on el_read.model = el_bounds.model
        and el_read.table_name = el_bounds.table_name
        and el_read._dlt_load_id >= el_bounds.first_load
    order by el_read.model, el_read.table_name, el_read._dlt_load_id
{%- endmacro %}
