{% test source_not_null(model, source_name, table, columns, at_source=none) %}

select tested.*
from {{ el_tested_rows(model, source_name, table) }} as tested
where
    {%- for name in el_tested_names(columns, at_source) %}
    {{ 'or ' if not loop.first }}(
        tested.{{ name }} is null
        {%- if target.name != 'source' %}
        and tested._dlt_load_id >= ({{ el_required_since(source_name, table, columns[loop.index0]) }})
        {%- endif %}
    )
    {%- endfor %}

{% endtest %}
