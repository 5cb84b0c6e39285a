{% macro el_changed() -%}
    {%- set notes = ref('el_loads_taken') -%}
    {%- if execute -%}
        {%- set readers = el_readers() -%}
        {%- for source_name in readers | map(attribute='source_name') | unique -%}
            {%- do el_fetch_windows(source_name, readers | selectattr('source_name', 'equalto', source_name) | list) -%}
        {%- endfor -%}
        {#- Where nothing was ever built, the views before a model and the notes are missing too. -#}
        {%- set before = '' if el_notes() else '+' -%}
        {%- set names = [] -%}
        {%- for id, source_name, table in el_known()['windows'] -%}
            {%- do names.append(before ~ graph.nodes[id].name) -%}
            {#- By which the tests of its raw table are selected too. -#}
            {%- do names.append('source:' ~ source_name ~ '.' ~ table) -%}
        {%- endfor -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.meta.get('el_pii') -%}
            {%- set shown = graph.nodes[node.depends_on.nodes[0]] -%}
            {#- Readers of staging see the old view until the one without personal data takes its place. -#}
            {%- if not adapter.get_relation(shown.database, shown.schema, shown.alias) -%}
                {%- do names.append('+' ~ node.name) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do print(names | unique | sort | join(' ')) -%}
    {%- endif -%}
{%- endmacro %}
