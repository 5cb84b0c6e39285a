{% materialization test, adapter='snowflake' -%}
    {{- return(el_test(dbt.materialization_test_default)) -}}
{%- endmaterialization %}
