{% macro el_cast_loses(column, type) -%}
    {#- A cast to fewer digits, or to a day, rounds without a word. -#}
    {{ column }} is not null
    and (
        try_cast({{ column }} as {{ type }}) is null
        {%- if type.startswith(('decimal', 'number', 'integer', 'bigint')) %}
        or try_cast({{ column }} as decimal(38, 12)) <> try_cast({{ column }} as {{ type }})
        {%- elif type == 'date' %}
        or try_cast({{ column }} as timestamp) <> cast(try_cast({{ column }} as date) as timestamp)
        {%- endif %}
    )
{%- endmacro %}
