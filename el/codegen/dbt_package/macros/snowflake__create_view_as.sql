{# Of a view with columns under masking policies, the policies and tags stand in the statement that makes it: at no moment
   it is there without them. Where a policy is not there, the statement fails. #}
{% macro snowflake__create_view_as(relation, sql) -%}
    {%- set policies = el_pii().get('policies') or {} -%}
    {%- if not policies -%}
        {{- return(snowflake__create_view_as_with_temp_flag(relation, sql)) -}}
    {%- endif -%}
    {%- set place = var('el_pii_schema', target.database ~ '.el_pii') -%}
    {%- set names = get_columns_in_query(sql) -%}
    {%- set hidden = [] -%}
    create or replace {{ 'secure ' if config.get('secure') }}view {{ relation }} (
    {%- for name in names %}
        {{ adapter.quote(name) }}
        {%- set policy = policies.get(name | lower) -%}
        {%- if policy %}
            {%- do hidden.append(name) %}
            with masking policy {{ place }}.{{ policy }}
            with tag ({{ place }}.el_pii = '{{ el_pii()['kinds'][name | lower] }}')
        {%- endif -%}
        {{ ',' if not loop.last }}
    {%- endfor %}
    )
    {{ 'copy grants' if config.get('copy_grants') }}
    as (
        {{ sql }}
    )
    {%- if hidden | length != policies | length -%}
        {%- do exceptions.raise_compiler_error(relation ~ ': not every column with a policy is in the view') -%}
    {%- endif -%}
{%- endmacro %}
