{% test el_documents_fit(model, source_name, table, document, form='json', fields={}) %}

{{ config(fail_calc='coalesce(sum(failing_rows), 0)') }}

{%- set name = 'tested.' ~ (el_quoted(document) | trim) %}
{%- set rules = [('not null: ' ~ document, name ~ ' is null')] %}
{%- for field, said in fields.items() %}
    {#- What raw has of a promoted field is the value, whatever a warehouse's functions make of the document. #}
    {%- set missing = 'tested.' ~ (el_quoted(said['raw']) | trim) ~ ' is null and ' if said.get('raw') else '' %}
    {%- set misfit = el_document_misfit(name, said['path'], said['type'], form) %}
    {%- do rules.append(('fits: ' ~ field, missing ~ '(' ~ misfit ~ ')')) %}
{%- endfor %}

{{ el_broken_rules(el_tested_rows(model, source_name, table), rules) }}

{% endtest %}
