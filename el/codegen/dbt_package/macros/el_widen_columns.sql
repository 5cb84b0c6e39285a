{% macro el_widen_columns(table, arriving) -%}
    {%- set types = {} -%}
    {%- for column in adapter.get_columns_in_relation(arriving) -%}
        {%- do types.update({column.name | lower: el_column_type(column)}) -%}
    {%- endfor -%}
    {%- for column in adapter.get_columns_in_relation(table) -%}
        {%- set held = el_column_type(column) -%}
        {%- set type = types.get(column.name | lower, held) -%}
        {%- if not el_holds(held, type) -%}
            {%- set (kind, _, scale) = el_digits(held) -%}
            {%- set (new_kind, _, new_scale) = el_digits(type) -%}
            {#- Snowflake can give a number more digits before the point, and widen nothing else in place. -#}
            {%- set possible = target.type == 'duckdb' or (kind == new_kind == 'number' and scale == new_scale) -%}
            {%- if possible and el_holds(type, held) -%}
                {%- do run_query('alter table ' ~ table ~ ' alter column ' ~ column.quoted ~ ' set data type ' ~ type) -%}
            {%- else -%}
                {%- do exceptions.raise_compiler_error(
                    table ~ '.' ~ column.name ~ ' is ' ~ held ~ ' and cannot hold what is ' ~ type
                    ~ ' now: run dbt build --full-refresh --select ' ~ model.name
                ) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
