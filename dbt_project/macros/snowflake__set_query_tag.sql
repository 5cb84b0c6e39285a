{% macro snowflake__set_query_tag() -%}
    {%- set tag = {'app': 'el', 'run': invocation_id, 'node': model.name if model else none} -%}
    {%- do run_query("alter session set query_tag = '" ~ tojson(tag) ~ "'") -%}
    {{- return(target.query_tag) -}}
{%- endmacro %}
