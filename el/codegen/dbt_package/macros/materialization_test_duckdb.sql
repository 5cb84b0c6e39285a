{% materialization test, adapter='duckdb' -%}
    {{- return(el_test(dbt.materialization_test_default)) -}}
{%- endmaterialization %}
