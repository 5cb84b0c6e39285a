{% macro el_last_snapshot(relation, source_name, table) -%}
    -- depends_on: {{ ref('el_loads_taken') }}
    with {{ el_window(source_name, table) }}

    select landed.*
    from {{ relation }} as landed
    where
        landed._dlt_load_id = (select snapshot_load from el_window)
        {%- if is_incremental() %}
        and landed._dlt_load_id not in (
            select held._dlt_load_id
            from {{ this }} as held
            where held._dlt_load_id = (select snapshot_load from el_window)
        )

    union all

    -- One row for each older snapshot that is held: its rows go.
    select distinct {{ el_deleted_columns(relation, []) }}
    from (
        select distinct
            held._dlt_load_id,
            cast(null as varchar) as _el_position,
            cast(null as {{ dbt.type_timestamp() }}) as _el_extracted_at
        from {{ this }} as held
        where held._dlt_load_id <> (select snapshot_load from el_window)
    ) as el_older
        {%- endif %}
{%- endmacro %}
