{% macro el_window(source_name, table) -%}
    {%- do el_refuse_narrow_types(source_name, table) -%}
    el_loads as (
        {{ el_loads(source_name, table) }}
    ),

    -- Nothing new leaves no row here, and so no rows below.
    el_window as (
        select
            bounds.snapshot_load,
            bounds.first_load
        from (
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
        ) as bounds
        where bounds.first_load is not null
    )
{%- endmacro %}
