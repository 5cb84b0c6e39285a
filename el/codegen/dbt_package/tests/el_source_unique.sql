{% test el_source_unique(model, source_name, table, columns, at_source=none) %}

{%- set names = el_tested_names(columns, at_source) %}
{%- set within = names if target.name == 'source' else names + ['_dlt_load_id', '_el_position'] %}

select
    {{ within | join(', ') }},
    count(*) as row_count
from {{ el_tested_rows(model, source_name, table) }} as tested
where {% for name in names %}tested.{{ name }} is not null{{ ' and ' if not loop.last }}{% endfor %}
group by {{ within | join(', ') }}
having count(*) > 1

{% endtest %}
