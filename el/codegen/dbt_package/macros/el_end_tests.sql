{% macro el_end_tests() -%}
    {%- set notes = ref('el_loads_taken') -%}
    {%- set failed = el_known().get('failed', []) if execute else [] -%}
    {%- set rows = [] -%}
    {%- for result in results if execute and target.name != 'source' and result.node.resource_type == 'test' -%}
        {%- set id = result.node.unique_id -%}
        {%- if result.status in ('fail', 'error') and id not in failed -%}
            {%- do rows.append((id, invocation_id, 'failed')) -%}
        {%- elif result.status in ('pass', 'warn') and id in failed -%}
            {%- do rows.append((id, invocation_id, 'passed')) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if rows and el_notes() -%}
        {%- do el_note(rows) -%}
    {%- endif -%}
{%- endmacro %}
