{% test el_documents_are_json(model, source_name, table, document) %}

{{ config(fail_calc='coalesce(sum(failing_rows), 0)') }}

{%- set name = 'tested.' ~ (el_quoted(document) | trim) %}
{%- set valid = "try_parse_json(" ~ name ~ ", 'd') is not null" if target.type == 'snowflake' else 'json_valid(' ~ name ~ ')' %}

{{ el_broken_rules(
    el_tested_rows(model, source_name, table),
    [('json: ' ~ document, name ~ ' is not null and not (' ~ valid ~ ')')]
) }}

{% endtest %}
