{# For models of el, dbt's own where there is someone to grant to: it would ask for the grants of every table at every
   build without reader roles too, and DuckDB has none. For all others dbt's own. #}
{% macro apply_grants(relation, grant_config, should_revoke=True) -%}
    {%- set given = target.type == 'snowflake' and grant_config and grant_config.values() | map('length') | sum > 0 -%}
    {%- if given or not el_generated() -%}
        {{- return(adapter.dispatch('apply_grants', 'dbt')(relation, grant_config, should_revoke)) -}}
    {%- endif -%}
{%- endmacro %}
