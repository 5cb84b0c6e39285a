{% macro el_history(relation, source_name, table, key) -%}
    {%- do el_refuse_former_key(key) -%}
    {%- set window = el_window(source_name, table) -%}
    {%- set columns = el_source_columns(relation) -%}
    {%- set compared = columns | reject('in', key) | list -%}
    {%- set landing = ['_dlt_load_id', '_el_op', '_el_position', '_el_extracted_at'] -%}
    {%- set since = window.first -%}
    -- depends_on: {{ ref('el_loads_taken') }}
    with {{ el_window_ctes(window, since) }},

    el_landed as (
        {{ el_landed(relation, since, ['el_loads._el_next_snapshot']) }}
            and landed._el_op <> 'B'
        qualify
            row_number() over (
                partition by {% for column in key %}landed.{{ column }}, {% endfor %}landed._dlt_load_id, landed._el_position
                order by landed._el_op desc
            ) = 1
    ),

    el_events as (
        select
            {{ (columns + landing) | join(', ') }},
            _el_next_snapshot
        from el_landed
        {%- if is_incremental() %}
        union all
        -- The version that each key had when the window began.
        select
            {{ el_held_columns(columns + landing) }},
            {{ el_text(window.snapshots | first) }} as _el_next_snapshot
        from {{ this }} as held
        where
            held._dlt_load_id < '{{ since }}'
            and (held._el_valid_to is null or held._el_valid_to >= '{{ since }}')
            {%- if not window.snapshots %}
            and exists (select 1 from el_landed where {{ el_same_key('el_landed', 'held', key) }})
            {%- endif %}
        {%- endif %}
    ),

    el_numbered as (
        select
            el_events.*,
            {{ el_point('el_events') }} as _el_point,
            row_number() over (
                partition by {{ key | join(', ') }} order by _dlt_load_id, _el_position nulls first
            ) as _el_number,
            case
                when
                    _el_op <> 'D'
                    and _el_next_snapshot < coalesce(
                        lead(_dlt_load_id) over (
                            partition by {{ key | join(', ') }} order by _dlt_load_id, _el_position nulls first
                        ),
                        '~'
                    )
                    then _el_next_snapshot
            end as _el_gap
        from el_events
    ),

    el_compared as (
        select
            el_now.*,
            el_now._el_op <> 'D'
            and (
                el_before._el_number is null
                or el_before._el_op = 'D'
                or el_before._el_gap is not null
                {%- for column in compared %}
                or el_now.{{ column }} is distinct from el_before.{{ column }}
                {%- endfor %}
            ) as _el_begins
        from el_numbered as el_now
        left join el_numbered as el_before
            on {{ el_same_key('el_now', 'el_before', key) }}
            and el_now._el_number = el_before._el_number + 1
    ),

    -- Where a version begins or ends: a changed row, a delete, a snapshot that lacks the key.
    el_points as (
        select
            {{ (columns + landing) | join(', ') }},
            _el_begins,
            _el_point,
            _el_extracted_at as _el_moment
        from el_compared
        where _el_begins or _el_op = 'D'
        union all
        select
            {% for column in columns + landing %}el_compared.{{ column }}, {% endfor -%}
            false as _el_begins,
            el_compared._el_gap || '/' as _el_point,
            el_snapshots.started_at as _el_moment
        from el_compared
        inner join ({{ el_loads(source_name, table) }}) as el_snapshots
            on el_compared._el_gap = el_snapshots._dlt_load_id
    ),

    el_versions as (
        select
            {{ (columns + landing) | join(', ') }},
            _el_begins,
            _el_point as _el_valid_from,
            lead(_el_point) over (partition by {{ key | join(', ') }} order by _el_point) as _el_valid_to,
            lead(_el_moment) over (partition by {{ key | join(', ') }} order by _el_point) as _el_closed_at
        from el_points
    ),

    el_found as (
        select
            {{ (columns + landing) | join(', ') }},
            _el_valid_from,
            _el_valid_to,
            _el_closed_at
        from el_versions
        where _el_begins
    )

    select el_found.*
    from el_found
    {%- if is_incremental() %}
    left join {{ this }} as held
        on {{ el_same_key('held', 'el_found', key) }}
        and held._el_valid_from = el_found._el_valid_from
        and coalesce(held._el_valid_to, '') = coalesce(el_found._el_valid_to, '')
    where held._el_valid_from is null

    union all

    -- Versions that a late load has overtaken.
    select
        {% for column in columns -%}
        {{ 'held.' ~ column if column in key else 'null as ' ~ column }}, {% endfor -%}
        held._dlt_load_id,
        'D' as _el_op,
        held._el_position,
        held._el_extracted_at,
        held._el_valid_from,
        held._el_valid_to,
        held._el_closed_at
    from {{ this }} as held
    left join el_found
        on {{ el_same_key('el_found', 'held', key) }}
        and el_found._el_valid_from = held._el_valid_from
    where
        held._dlt_load_id >= '{{ since }}'
        and el_found._el_valid_from is null
    {%- endif %}
{%- endmacro %}
