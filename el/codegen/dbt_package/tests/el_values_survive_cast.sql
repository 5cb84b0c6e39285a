{% test el_values_survive_cast(model, source_name, table, columns) %}

with counting as (
    {{ el_files(source_name, table) }}
)

{% for column, types in columns.items() %}
{%- set name = 'landed.' ~ (el_quoted(column) | trim) %}
select
    '{{ column }}' as column_name,
    landed._el_file,
    landed._el_row,
    {{ name }} as as_it_stands
from {{ model }} as landed
inner join counting on landed._el_file = counting.file_id
where {{ el_cast_loses(name, el_type(types[0], types[1]) | trim) }}
{% if not loop.last %}union all{% endif %}
{% endfor %}

{% endtest %}
