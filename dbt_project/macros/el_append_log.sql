{% macro el_append_log(relation, source_name, table) -%}
    -- depends_on: {{ ref('el_loads_taken') }}
    with {{ el_window(source_name, table) }},

    -- The log's own load ids are asked too: a build that was killed after its insert has recorded nothing.
    el_new_loads as (
        select el_loads._dlt_load_id
        from el_loads
        where
            el_loads._dlt_load_id >= (select first_load from el_window)
            {%- if is_incremental() %}
            and el_loads._dlt_load_id not in ({{ el_taken_loads() }})
            and el_loads._dlt_load_id not in (
                select held._dlt_load_id
                from {{ this }} as held
                where held._dlt_load_id >= (select first_load from el_window)
            )
            {%- endif %}
    )

    select landed.*
    from {{ relation }} as landed
    where landed._dlt_load_id in (select el_new_loads._dlt_load_id from el_new_loads)
{%- endmacro %}
