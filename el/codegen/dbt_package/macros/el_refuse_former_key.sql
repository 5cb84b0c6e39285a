{% macro el_refuse_former_key(key) -%}
    {%- if execute and is_incremental() and not el_as_built() -%}
        {%- set there = adapter.get_columns_in_relation(this) | map(attribute='name') | map('lower') | list -%}
        {%- for column in key if column not in there -%}
            {%- do exceptions.raise_compiler_error(
                this ~ ' was built with another key, and has no column ' ~ column
                ~ ': run dbt build --full-refresh --select ' ~ model.name
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
