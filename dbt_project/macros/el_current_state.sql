{% macro el_current_state(relation, source_name, table, key) -%}
    {%- do el_refuse_former_key(key) %}
    -- depends_on: {{ ref('el_loads_taken') }}
    with {{ el_window(source_name, table) }},

    el_latest as (
        select landed.*
        from {{ relation }} as landed
        where
            landed._dlt_load_id in (select el_loads._dlt_load_id from el_loads)
            and landed._el_op <> 'B'
            and landed._dlt_load_id >= (select first_load from el_window)
            and landed._dlt_load_id >= (select snapshot_load from el_window)
        qualify
            row_number() over (
                partition by {{ key | join(', ') }}
                order by
                    _dlt_load_id desc,
                    _el_position desc nulls last,
                    -- A delete found by keys has no position, and came before a row without one.
                    case when _el_op = 'D' then 1 else 0 end asc
            ) = 1
    )
    {%- if not is_incremental() %}

    select * from el_latest
    where _el_op <> 'D'
    {%- else %},

    el_gone as (
        select held.*
        from {{ this }} as held
        where
            held._dlt_load_id < (select snapshot_load from el_window)
            and not exists (
                select 1
                from el_latest
                where {{ el_same_key('el_latest', 'held', key) }}
            )
    )

    select * from el_latest
    union all
    select {{ el_deleted_columns(relation, key) }}
    from el_gone
    {%- endif %}
{%- endmacro %}
