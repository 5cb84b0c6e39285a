{% macro el_merge(held, arriving, unique_key, columns) -%}
    {%- set key = [unique_key] if unique_key is string else unique_key -%}
    merge into {{ held }} as held
    using {{ arriving }} as arrived
        on {% for column in key %}held.{{ column }} = arrived.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
    when matched and arrived._el_op = 'D' then delete
    when matched then update set
        {% for column in columns %}{{ column }} = arrived.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    when not matched and arrived._el_op <> 'D' then insert
        ({{ columns | join(', ') }})
    values
        ({% for column in columns %}arrived.{{ column }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}
