{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {{- return(el_incremental(dbt.materialization_incremental_duckdb)) -}}
{%- endmaterialization %}
