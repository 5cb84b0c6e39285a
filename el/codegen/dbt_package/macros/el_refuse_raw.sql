{% macro el_refuse_raw() -%}
    {#- The project decides of schemas, and dbt would put what it builds in the place of what was landed. -#}
    {%- set raw = [] -%}
    {%- if execute -%}
        {%- set ledgers = graph.sources.values() | selectattr('name', 'equalto', '_el_ledger') | list -%}
        {%- set landed = ledgers | map(attribute='source_name') | list -%}
        {%- for table in graph.sources.values() if table.source_name in landed -%}
            {%- do raw.append((table.database ~ '.' ~ table.schema ~ '.' ~ table.identifier) | lower) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- for id in selected_resources if execute and id in graph.nodes -%}
        {%- set node = graph.nodes[id] -%}
        {%- set place = (node.database ~ '.' ~ node.schema ~ '.' ~ node.alias) | lower -%}
        {%- if node.resource_type in ['model', 'seed', 'snapshot'] and place in raw -%}
            {%- do exceptions.raise_compiler_error(
                node.name ~ ' would be built in the place of the raw table ' ~ place ~ ': name another schema, by '
                ~ '`dbt: {schema: ...}` or `raw: {schema: ...}` of el.yml, or in generate_schema_name'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
