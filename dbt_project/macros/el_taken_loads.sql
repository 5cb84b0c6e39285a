{% macro el_taken_loads(state='taken') -%}
    select load_id
    from {{ ref('el_loads_taken') }}
    where model = '{{ this.schema | lower }}.{{ this.identifier | lower }}' and state = '{{ state }}'
{%- endmacro %}
