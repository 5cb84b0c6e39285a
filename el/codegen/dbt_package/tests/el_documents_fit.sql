{% test el_documents_fit(model, source_name, table, document, form='json', fields={}) %}

{{ config(fail_calc='coalesce(sum(failing_rows), 0)') }}

{%- set name = 'tested.' ~ (el_quoted(document) | trim) %}
{%- set rules = [('not null: ' ~ document, name ~ ' is null')] %}
{%- for field, said in fields.items() %}
    {%- do rules.append(('fits: ' ~ field, el_document_misfit(name, said['path'], said['type'], form))) %}
{%- endfor %}

{{ el_broken_rules(el_tested_rows(model, source_name, table), rules) }}

{% endtest %}
