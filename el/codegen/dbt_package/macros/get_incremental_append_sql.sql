{# dbt's own strategy append; of models of el into columns that hold what comes. #}
{% macro get_incremental_append_sql(arg_dict) -%}
    {%- if el_generated() -%}
        {%- do el_widen_columns(arg_dict['target_relation'], arg_dict['temp_relation']) -%}
    {%- endif -%}
    {{- return(adapter.dispatch('get_incremental_append_sql', 'dbt')(arg_dict)) -}}
{%- endmacro %}
