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
            {#- Readers of staging see the former view until it is made anew; where nothing changed, that is no statement. -#}
            {%- if names or el_shows_personal(node) -%}
                {%- do names.append(graph.nodes[node.depends_on.nodes[0]].name) -%}
                {%- do names.append(node.name) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do print(names | unique | sort | join(' ')) -%}
    {%- endif -%}
{%- endmacro %}


{% macro el_shows_personal(node) -%}
    {%- set shown = graph.nodes[node.depends_on.nodes[0]] -%}
    {%- set view = adapter.get_relation(node.database, node.schema, node.alias) -%}
    {%- if not view or not adapter.get_relation(shown.database, shown.schema, shown.alias) -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- set pii = node.config.meta['el_pii'] -%}
    {%- for column in adapter.get_columns_in_relation(view) if column.name | lower in pii['kinds'] -%}
        {%- if target.type != 'snowflake' or column.name | lower not in pii['policies'] -%}
            {{- return(true) -}}
        {%- endif -%}
    {%- endfor -%}
    {{- return(false) -}}
{%- endmacro %}
