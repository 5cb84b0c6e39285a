{# The incremental strategy el_current_state: one MERGE that updates, inserts, and deletes what is 'D'. #}
{% macro get_incremental_el_current_state_sql(arg_dict) -%}
    {%- do el_widen_columns(arg_dict['target_relation'], arg_dict['temp_relation']) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | list -%}
    {{ el_merge(arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['unique_key'], columns) }}
{%- endmacro %}
