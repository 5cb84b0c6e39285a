{% test el_recent_run(model, source_name, days) %}

select last_run.loaded_at
from ({{ el_last_run(source_name) }}) as last_run
where
    last_run.loaded_at is null
    or last_run.loaded_at < cast({{ dbt.dateadd('day', -days, el_now()) }} as {{ dbt.type_timestamp() }})

{% endtest %}
