{% macro el_flagged_state(relation, source_name, table, key) -%}
    {%- do el_refuse_former_key(key) -%}
    {%- set window = el_window(source_name, table) -%}
    {%- set columns = el_source_columns(relation) + ['_dlt_load_id', '_el_op', '_el_position', '_el_extracted_at'] -%}
    {%- set since = window.first -%}
    -- depends_on: {{ ref('el_loads_taken') }}
    with {{ el_window_ctes(window, since) }},

    el_events as (
        {{ el_landed(relation, since, ['el_loads._el_next_snapshot', el_point('landed') ~ ' as _el_point']) }}
            and landed._el_op <> 'B'
    ),

    el_valued as (
        select *
        from el_events
        where _el_op <> 'D'
        qualify
            row_number() over (
                partition by {{ key | join(', ') }}
                order by _dlt_load_id desc, _el_position desc nulls last
            ) = 1
    ),

    el_latest as (
        select
            {{ columns | join(', ') }},
            _el_next_snapshot,
            _el_point,
            cast(null as varchar) as _el_held_deleted_load,
            false as _el_is_held
        from el_valued
        {%- if is_incremental() %}
        union all
        select
            {{ el_held_columns(columns) }},
            {{ el_text(window.snapshots | first) }} as _el_next_snapshot,
            {{ el_point('held') }} as _el_point,
            held._el_deleted_load_id as _el_held_deleted_load,
            true as _el_is_held
        from {{ this }} as held
        left join el_valued on {{ el_same_key('el_valued', 'held', key) }}
        where
            held._dlt_load_id < '{{ since }}'
            and (held._el_deleted_load_id is null or held._el_deleted_load_id >= '{{ since }}')
            and el_valued._dlt_load_id is null
        {%- endif %}
    ),

    el_deletes as (
        select
            {% for column in key %}el_latest.{{ column }}, {% endfor -%}
            min(el_events._dlt_load_id) as _el_deleted_load
        from el_latest
        inner join el_events
            on {{ el_same_key('el_latest', 'el_events', key) }}
            and el_events._el_op = 'D'
            and el_latest._el_point < el_events._el_point
        group by {% for column in key %}el_latest.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    ),

    el_flagged as (
        select
            {% for column in columns %}el_latest.{{ column }}, {% endfor -%}
            el_latest._el_is_held,
            el_latest._el_held_deleted_load,
            case
                when el_deletes._el_deleted_load is null then el_latest._el_next_snapshot
                when el_deletes._el_deleted_load <= coalesce(el_latest._el_next_snapshot, el_deletes._el_deleted_load)
                    then el_deletes._el_deleted_load
                else el_latest._el_next_snapshot
            end as _el_deleted_load
        from el_latest
        left join el_deletes on {{ el_same_key('el_latest', 'el_deletes', key) }}
    )

    select
        {{ columns | join(', ') }},
        _el_deleted_load is not null as _el_deleted,
        _el_deleted_load as _el_deleted_load_id
    from el_flagged
    where not _el_is_held or coalesce(_el_deleted_load, '') <> coalesce(_el_held_deleted_load, '')
{%- endmacro %}
