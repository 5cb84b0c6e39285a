{% macro el_announce_loads(source_name, table) -%}
    insert into {{ ref('el_loads_taken') }} (model, load_id, state, noted_at)
    select
        '{{ this.schema | lower }}.{{ this.identifier | lower }}',
        _dlt_load_id,
        'announced',
        {{ el_now() }}
    from ({{ el_new_loads(source_name, table, taken=el_taken_loads()) }}) as new_loads
{%- endmacro %}
