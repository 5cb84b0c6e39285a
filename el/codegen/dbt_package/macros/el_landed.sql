{% macro el_landed(relation, since, columns=[], besides=none) -%}
    select landed.*{% for column in columns %}, {{ column }}{% endfor %}
    from {{ relation }} as landed
    inner join el_loads on landed._dlt_load_id = el_loads._dlt_load_id
    {%- if besides %}
    left join {{ besides }} on landed._dlt_load_id = {{ besides }}._dlt_load_id
    {%- endif %}
    where
        landed._dlt_load_id >= '{{ since }}'
        {%- if besides %}
        and {{ besides }}._dlt_load_id is null
        {%- endif %}
{%- endmacro %}
