{% macro el_append_log(relation, source_name, table) -%}
    {%- set window = el_window(source_name, table) -%}
    -- depends_on: {{ ref('el_loads_taken') }}
    with {{ el_window_ctes(window, window.first) }}
    {%- if is_incremental() %},

    -- What the log has already: a build that was killed after its insert has recorded nothing.
    el_held_loads as (
        select distinct held._dlt_load_id
        from {{ this }} as held
        where held._dlt_load_id >= '{{ window.first }}'
    )
    {%- endif %}

    {{ el_landed(relation, window.first, besides='el_held_loads' if is_incremental() else none) }}
{%- endmacro %}
