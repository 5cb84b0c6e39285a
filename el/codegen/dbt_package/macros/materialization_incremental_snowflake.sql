{% materialization incremental, adapter='snowflake', supported_languages=['sql', 'python'] -%}
    {{- return(el_incremental(dbt.materialization_incremental_snowflake)) -}}
{%- endmaterialization %}
