{% macro get_incremental_append_sql(arg_dict) -%}
    {%- do el_widen_columns(arg_dict['target_relation'], arg_dict['temp_relation']) -%}
    {{- return(adapter.dispatch('get_incremental_append_sql', 'dbt')(arg_dict)) -}}
{%- endmacro %}
