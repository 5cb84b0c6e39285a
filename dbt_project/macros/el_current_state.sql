{% macro el_current_state(relation, source_name, table, key=none) -%}
    -- depends_on: {{ ref('el_loads_taken') }}
    with el_loads as (
        {{ el_loads(source_name, table) }}
    ),

    el_bounds as (
        select
            coalesce(max(case when kind = 'snapshot' then _dlt_load_id end), '') as snapshot_load,
            {%- if is_incremental() %}
            min(
                case
                    when
                        _dlt_load_id in ({{ el_taken_loads('announced') }})
                        and _dlt_load_id not in ({{ el_taken_loads() }})
                        then _dlt_load_id
                end
            ) as first_load
            {%- else %}
            '' as first_load
            {%- endif %}
        from el_loads
    ),

    -- Nothing new leaves no row here, and so no rows below.
    el_window as (
        select
            snapshot_load,
            case when first_load > snapshot_load then first_load else snapshot_load end as start_load
        from el_bounds
        where first_load is not null
    ),

    el_rows as (
        select landed.*
        from {{ relation }} as landed
        where
            landed._dlt_load_id in (select el_loads._dlt_load_id from el_loads)
            {%- if key %}
            and landed._dlt_load_id >= (select start_load from el_window)
            {%- else %}
            and landed._dlt_load_id = (select snapshot_load from el_window)
            {%- endif %}
    )

    {%- if not key %}

    select * from el_rows
    {%- else %},

    el_latest as (
        select *
        from el_rows
        qualify
            row_number() over (
                partition by {{ key | join(', ') }}
                order by _dlt_load_id desc, _el_position desc nulls last
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
                where {% for column in key %}el_latest.{{ column }} = held.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
            )
    )

    select * from el_latest
    union all
    select {{ el_deleted_columns(relation, key) }}
    from el_gone
    {%- endif %}
    {%- endif %}
{%- endmacro %}
