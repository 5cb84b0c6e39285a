{% macro apply_grants(relation, grant_config, should_revoke=True) -%}
    {%- if target.type == 'snowflake' and grant_config and grant_config.values() | map('length') | sum > 0 -%}
        {{- return(adapter.dispatch('apply_grants', 'dbt')(relation, grant_config, should_revoke)) -}}
    {%- endif -%}
{%- endmacro %}
