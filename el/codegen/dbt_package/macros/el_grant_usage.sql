{% macro el_grant_usage() -%}
    {%- set given = [] -%}
    {%- for result in results if execute and target.type == 'snowflake' and result.status == 'success' -%}
        {%- set node = graph.nodes.get(result.node.unique_id, {}) -%}
        {%- set readers = (node.get('config', {}).get('grants') or {}).get('select') or [] -%}
        {%- for role in ([readers] if readers is string else readers) -%}
            {%- set usage = 'grant usage on schema ' ~ node.database ~ '.' ~ node.schema ~ ' to role ' ~ role | trim -%}
            {%- do given.append(usage) if usage not in given -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for usage in given -%}
        {%- do run_query(usage) -%}
    {%- endfor -%}
{%- endmacro %}
