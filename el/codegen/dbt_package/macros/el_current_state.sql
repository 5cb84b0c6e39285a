{% macro el_current_state(relation, source_name, table, key) -%}
    {%- do el_refuse_former_key(key) -%}
    {%- set window = el_window(source_name, table) -%}
    {%- set since = [window.first, window.snapshot] | max -%}
    -- depends_on: {{ ref('el_loads_taken') }}
    with {{ el_window_ctes(window, since) }},

    el_latest as (
        {{ el_landed(relation, since) }}
            and landed._el_op <> 'B'
        qualify
            row_number() over (
                partition by {{ key | join(', ') }}
                order by
                    landed._dlt_load_id desc,
                    landed._el_position desc nulls last,
                    -- A delete found by keys has no position, and came before a row without one.
                    case when landed._el_op = 'D' then 1 else 0 end asc
            ) = 1
    )
    {%- if not is_incremental() %}

    select * from el_latest
    where _el_op <> 'D'
    {%- elif not window.snapshot %}

    select * from el_latest
    {%- else %},

    el_gone as (
        select held.*
        from {{ this }} as held
        left join el_latest on {{ el_same_key('el_latest', 'held', key) }}
        where
            held._dlt_load_id < '{{ window.snapshot }}'
            and el_latest._dlt_load_id is null
    )

    select * from el_latest
    union all
    select {{ el_deleted_columns(relation, key) }}
    from el_gone
    {%- endif %}
{%- endmacro %}
