{% test el_raw_equals_ledger(model, source_name, tables) %}

{%- set loads = el_tested(source_name)['loads'] %}
{%- set tested = [] %}
{%- for table in tables %}
    {%- set relation = source(source_name, table) %}
    {%- if table in loads %}
        {%- do tested.append((table, loads[table][0], relation)) %}
    {%- endif %}
{%- endfor %}
{%- set firsts = [] %}
{%- for table, first, relation in tested %}
    {%- do firsts.append((table, first)) %}
{%- endfor %}

with tested as (
    {{ el_rows(['table_name', 'first_load'], firsts) }}
),

counted as (
    select
        ledger.table_name,
        ledger._dlt_load_id,
        sum(ledger.row_count) as rows_in_ledger,
        0 as rows_in_raw
    from {{ model }} as ledger
    inner join tested on ledger.table_name = tested.table_name
    where
        ledger._dlt_load_id >= '{{ firsts | map('last') | min }}'
        and ledger._dlt_load_id >= tested.first_load
    group by ledger.table_name, ledger._dlt_load_id
    {%- for table, first, relation in tested if el_relation(relation) %}
    union all
    select
        '{{ table }}' as table_name,
        landed._dlt_load_id,
        0 as rows_in_ledger,
        count(*) as rows_in_raw
    from {{ relation }} as landed
    where landed._dlt_load_id >= '{{ first }}'
    group by landed._dlt_load_id
    {%- endfor %}
)

select
    counted.table_name,
    counted._dlt_load_id,
    sum(counted.rows_in_ledger) as rows_in_ledger,
    sum(counted.rows_in_raw) as rows_in_raw
from counted
inner join ({{ el_complete_loads(source_name) }}) as complete on counted._dlt_load_id = complete.load_id
group by counted.table_name, counted._dlt_load_id
having sum(counted.rows_in_ledger) <> sum(counted.rows_in_raw)

{% endtest %}
