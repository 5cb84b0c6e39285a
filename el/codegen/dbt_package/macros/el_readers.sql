{% macro el_readers(selected=none) -%}
    {%- set notes = ref('el_loads_taken') -%}
    {%- set found = [] -%}
    {%- set nodes = graph.nodes.items() if execute else [] -%}
    {%- for id, node in nodes if node.resource_type == 'model' and (selected is none or id in selected) -%}
        {%- set parents = node.depends_on.nodes -%}
        {%- if parents | select('in', el_notes_ids()) | list -%}
            {%- for parent in parents if parent in graph.nodes -%}
                {%- for origin in graph.nodes[parent].depends_on.nodes if origin in graph.sources -%}
                    {%- set read = graph.sources[origin] -%}
                    {%- do found.append({
                        'id': id,
                        'model': (node.schema ~ '.' ~ node.alias) | lower,
                        'source_name': read.source_name,
                        'table': read.name,
                    }) -%}
                {%- endfor -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(found) -}}
{%- endmacro %}


{% macro el_notes_ids() -%}
    {%- set found = [] -%}
    {%- for id, node in graph.nodes.items() if node.resource_type == 'model' and node.name == 'el_loads_taken' -%}
        {%- do found.append(id) -%}
    {%- endfor -%}
    {{- return(found) -}}
{%- endmacro %}


{% macro el_notes() -%}
    {%- set notes = ref('el_loads_taken') -%}
    {{- return(el_relation(notes) if execute else notes) -}}
{%- endmacro %}
