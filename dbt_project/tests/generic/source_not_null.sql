{% test source_not_null(model, source_name, table, columns, at_source=none) %}

select tested.*
from {{ el_tested_rows(model, source_name, table) }} as tested
where {% for name in el_tested_names(columns, at_source) %}tested.{{ name }} is null{{ ' or ' if not loop.last }}{% endfor %}

{% endtest %}
