{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {{- return(el_incremental(dbt.materialization_incremental_duckdb)) -}}
{%- endmaterialization %}


{% materialization incremental, adapter='snowflake', supported_languages=['sql', 'python'] -%}
    {{- return(el_incremental(dbt.materialization_incremental_snowflake)) -}}
{%- endmaterialization %}


{% materialization view, adapter='snowflake' -%}
    {{- return(el_view(dbt.materialization_view_snowflake)) -}}
{%- endmaterialization %}


{% materialization test, adapter='duckdb' -%}
    {{- return(el_test(dbt.materialization_test_default)) -}}
{%- endmaterialization %}


{% materialization test, adapter='snowflake' -%}
    {{- return(el_test(dbt.materialization_test_default)) -}}
{%- endmaterialization %}
