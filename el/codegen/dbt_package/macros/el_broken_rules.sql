{% macro el_broken_rules(rows, rules, key=[], key_shown=none) -%}
    {#- No CTE: at the source a test is a derived table. -#}
    {%- set names = rules | map('first') | list + (['unique: ' ~ (key_shown or key) | join(', ')] if key else []) -%}
    {%- if names %}
select
    named.rule_name,
    case named.place
        {%- for name in names %}
        when {{ loop.index }} then counted.rule_{{ loop.index }}
        {%- endfor %}
    end as failing_rows
from (
    {%- if key %}
    select
        {%- for rule in rules %}
        coalesce(sum(told_apart.rule_{{ loop.index }}), 0) as rule_{{ loop.index }},
        {%- endfor %}
        count(case when told_apart.times > 1 and told_apart.has_key = 1 then 1 end) as rule_{{ names | length }}
    from (
    {%- endif %}
    select
        {%- for name, condition in rules %}
        count(case when {{ condition }} then 1 end) as rule_{{ loop.index }}{{ ',' if key or not loop.last }}
        {%- endfor %}
        {%- if key %}
        count(*) as times,
        max(case when {% for column in key %}tested.{{ column }} is not null{{ ' and ' if not loop.last }}{% endfor %} then 1 else 0 end) as has_key
        {%- endif %}
    from {{ rows }} as tested
    {%- if key %}
    {%- set within = key if target.name == 'source' else key + ['_dlt_load_id', '_el_position'] %}
    group by {% for column in within %}tested.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    ) as told_apart
    {%- endif %}
) as counted
cross join (
    values
    {%- for name in names %}
    ({{ loop.index }}, '{{ name | replace("'", "''") }}'){{ ',' if not loop.last }}
    {%- endfor %}
) as named (place, rule_name)
where
    case named.place
        {%- for name in names %}
        when {{ loop.index }} then counted.rule_{{ loop.index }}
        {%- endfor %}
    end > 0
    {%- else %}
select
    '' as rule_name,
    0 as failing_rows
where 1 = 0
    {%- endif %}
{%- endmacro %}
