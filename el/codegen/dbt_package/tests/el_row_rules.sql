{% test el_row_rules(model, required=[], checks={}) %}

{{ config(fail_calc='coalesce(sum(failing_rows), 0)') }}

{%- set rules = [] %}
{%- for column in required %}
    {%- do rules.append(('not null: ' ~ column, 'tested.' ~ column ~ ' is null')) %}
{%- endfor %}
{%- for name, expression in checks.items() %}
    {%- do rules.append(('check: ' ~ name, 'not (' ~ expression ~ ')')) %}
{%- endfor %}

{{ el_broken_rules('(select * from ' ~ model ~ ')', rules) }}

{% endtest %}
