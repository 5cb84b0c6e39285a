{% macro get_incremental_current_state_sql(arg_dict) -%}
    {%- do el_widen_columns(arg_dict['target_relation'], arg_dict['temp_relation']) -%}
    {%- set key = arg_dict['unique_key'] -%}
    {%- set key = [key] if key is string else key -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | list -%}
    merge into {{ arg_dict['target_relation'] }} as held
    using {{ arg_dict['temp_relation'] }} as arrived
        on {% for column in key %}held.{{ column }} = arrived.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
    when matched and arrived._el_op = 'D' then delete
    when matched then update set
        {% for column in columns %}{{ column }} = arrived.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    when not matched and arrived._el_op <> 'D' then insert
        ({{ columns | join(', ') }})
    values
        ({% for column in columns %}arrived.{{ column }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}
