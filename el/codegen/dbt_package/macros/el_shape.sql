{% macro el_shape() -%}
    {%- set parents = [] -%}
    {%- for id in model.depends_on.nodes if id in graph.nodes -%}
        {%- do parents.append(graph.nodes[id].checksum.checksum) -%}
    {%- endfor -%}
    {%- set settings = {} -%}
    {%- for name in ['unique_key', 'incremental_strategy', 'on_schema_change', 'cluster_by', 'grants', 'persist_docs', 'copy_grants'] -%}
        {%- do settings.update({name: config.get(name)}) -%}
    {%- endfor -%}
    {%- set columns = [] -%}
    {%- for name, column in model.columns.items() -%}
        {%- do columns.append([name, column.get('data_type'), column.get('description'), column.get('constraints') | string]) -%}
    {%- endfor -%}
    {%- set shape = [model.checksum.checksum, parents, model.description, settings | string, columns] -%}
    {%- if el_pii() -%}
        {%- do shape.append(el_pii()) -%}
    {%- endif -%}
    {{- return(local_md5(tojson(shape, sort_keys=true))) -}}
{%- endmacro %}


{% macro el_as_built() -%}
    {%- set name = (this.schema ~ '.' ~ this.identifier) | lower -%}
    {{- return(el_known()['shapes'].get(name) == el_shape()) -}}
{%- endmacro %}
