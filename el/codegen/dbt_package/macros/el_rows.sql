{% macro el_rows(names, rows) -%}
    {%- if rows -%}
        select
            {% for name in names %}cast(given.{{ name }} as varchar) as {{ name }}{{ ', ' if not loop.last }}{% endfor %}
        from (
            values
            {%- for row in rows %}
            (
                {%- for value in row -%}
                    {{ "'" ~ (value | replace("'", "''")) ~ "'" if value is not none else 'null' }}
                    {{- ', ' if not loop.last }}
                {%- endfor -%}
            ){{ ',' if not loop.last }}
            {%- endfor %}
        ) as given ({{ names | join(', ') }})
    {%- else -%}
        select
            {% for name in names %}cast(null as varchar) as {{ name }}{{ ', ' if not loop.last }}{% endfor %}
        where 1 = 0
    {%- endif -%}
{%- endmacro %}
