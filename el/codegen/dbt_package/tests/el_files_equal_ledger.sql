{% test el_files_equal_ledger(model, source_name, tables) %}

{%- set loads = el_tested(source_name)['loads'] %}
{%- set tested = [] %}
{%- for table in tables %}
    {%- set relation = source(source_name, table) %}
    {%- if table in loads %}
        {%- do tested.append((table, loads[table][0], relation)) %}
    {%- endif %}
{%- endfor %}

with counted as (
    select
        taken.table_name,
        taken.file_id,
        taken.row_count as rows_in_ledger,
        0 as rows_in_raw
    from {{ model }} as taken
    where
        taken._dlt_load_id in ({{ el_complete_loads(source_name) }})
        and (
            1 = 0
            {%- for table, first, relation in tested %}
            or (taken.table_name = '{{ table }}' and taken._dlt_load_id >= '{{ first }}')
            {%- endfor %}
        )
    {%- for table, first, relation in tested if el_relation(relation) %}
    union all
    select
        '{{ table }}' as table_name,
        landed._el_file as file_id,
        0 as rows_in_ledger,
        count(*) as rows_in_raw
    from {{ relation }} as landed
    where
        landed._dlt_load_id >= '{{ first }}'
        and landed._dlt_load_id in ({{ el_complete_loads(source_name) }})
    group by landed._el_file
    {%- endfor %}
)

select
    table_name,
    file_id,
    sum(rows_in_ledger) as rows_in_ledger,
    sum(rows_in_raw) as rows_in_raw
from counted
group by table_name, file_id
having sum(rows_in_ledger) <> sum(rows_in_raw)

{% endtest %}
