{% test check_holds(model, expression) %}

select tested.*
from {{ model }} as tested
where not ({{ expression }})

{% endtest %}
