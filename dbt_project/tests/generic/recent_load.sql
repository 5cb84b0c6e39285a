{% test recent_load(model, days) %}

select max(inserted_at) as last_load
from {{ model }}
where status = 0
having max(inserted_at) is null or max(inserted_at) < {{ dbt.dateadd('day', -days, dbt.current_timestamp()) }}

{% endtest %}
