{% test source_check(model, source_name, table, at_source, expression=none) %}

select tested.*
from {{ el_tested_rows(model, source_name, table) }} as tested
where not ({{ at_source if target.name == 'source' else expression }})

{% endtest %}
