{% macro el_last_snapshot(relation, source_name, table) -%}
    {%- set window = el_window(source_name, table) -%}
    {#- Without a new snapshot there is no load from here on. -#}
    {%- set since = window.snapshot or '~' -%}
    -- depends_on: {{ ref('el_loads_taken') }}
    with {{ el_window_ctes(window, since) }}
    {%- if is_incremental() %},

    el_held_loads as (
        select
            held._dlt_load_id,
            max(held._el_extracted_at) as _el_extracted_at
        from {{ this }} as held
        group by held._dlt_load_id
    )
    {%- endif %}

    {{ el_landed(relation, since, besides='el_held_loads' if is_incremental() else none) }}
        and landed._dlt_load_id = '{{ since }}'
        {%- if is_incremental() and window.snapshot %}

    union all

    -- One row for each older snapshot that is held: its rows go.
    select {{ el_deleted_columns(relation, []) }}
    from (
        select
            _dlt_load_id,
            cast(null as varchar) as _el_position,
            _el_extracted_at
        from el_held_loads
        where _dlt_load_id <> '{{ since }}'
    ) as el_older
        {%- endif %}
{%- endmacro %}
