{% materialization view, adapter='snowflake' -%}
    {{- return(el_view(dbt.materialization_view_snowflake)) -}}
{%- endmaterialization %}
