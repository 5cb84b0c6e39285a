{% macro el_begin_tests() -%}
    {#- Once, before the threads of a run would each ask. -#}
    {%- for id in selected_resources if execute and id in graph.nodes and graph.nodes[id].resource_type == 'test' -%}
        {%- for parent in graph.nodes[id].depends_on.nodes if parent in graph.sources -%}
            {%- if graph.sources[parent].name == '_el_ledger' -%}
                {%- do el_tested(graph.sources[parent].source_name) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endmacro %}
