{% test el_source_row_rules(model, source_name, table, key=[], required=[], checks={}, key_at_source=none, required_at_source=none, checks_at_source={}) %}

{{ config(fail_calc='coalesce(sum(failing_rows), 0)') }}

{%- set at_source = target.name == 'source' %}
{%- set since = el_tested(source_name)['required'] %}
{%- set names = el_tested_names(required, required_at_source) %}
{%- set rules = [] %}
{%- for column in required if at_source or (table, column) in since %}
    {%- set name = names[required.index(column)] %}
    {%- set known = '' if at_source else " and tested._dlt_load_id >= '" ~ since[(table, column)] ~ "'" %}
    {%- do rules.append(('not null: ' ~ column, 'tested.' ~ name ~ ' is null' ~ known)) %}
{%- endfor %}
{%- for name, expression in (checks_at_source if at_source else checks).items() %}
    {%- do rules.append(('check: ' ~ name, 'not (' ~ expression ~ ')')) %}
{%- endfor %}

{{ el_broken_rules(
    el_tested_rows(model, source_name, table), rules, el_tested_names(key, key_at_source), key_at_source or key
) }}

{% endtest %}
