{% macro el_record_loads() -%}
    insert into {{ ref('el_loads_taken') }} (model, load_id, state, noted_at)
    select distinct
        '{{ this.schema | lower }}.{{ this.identifier | lower }}',
        load_id,
        'taken',
        {{ el_now() }}
    from ({{ el_taken_loads('announced') }}) as announced
    where load_id not in ({{ el_taken_loads() }})
{%- endmacro %}
