{% macro el_test(otherwise) -%}
    {%- set passed = el_known().get('no_failures') -%}
    {%- if passed is none or model.unique_id in el_known()['failed'] or not el_untouched() -%}
        {{- return(otherwise()) -}}
    {%- endif -%}
    {%- do store_raw_result('main', message='nothing new', code='SKIP', rows_affected=0, agate_table=passed) -%}
    {{- return({'relations': []}) -}}
{%- endmacro %}


{% macro el_untouched() -%}
    {#- Whether all that a test reads was built from what is there, before this run, and is as it was. -#}
    {%- set known = el_known() -%}
    {%- set read = [] -%}
    {%- for id in model.depends_on.nodes -%}
        {%- set origin = graph.sources.get(id) -%}
        {%- if origin and origin.name in ['_el_ledger', '_dlt_loads'] -%}
            {#- They say of each table what its models say too. -#}
        {%- elif id in el_notes_ids() -%}
            {%- do read.append(not known['windows'] and not known['built']) -%}
        {%- elif origin -%}
            {%- set place = (origin.source_name, origin.name) -%}
            {%- set there = known['readers'].get(place, []) | select('in', known['fetched'].get(place[0], [])) | list -%}
            {%- do read.append(there | length > 0 and not el_has_window(there, place[1])) -%}
        {%- else -%}
            {%- set asked = known['fetched'].values() | sum(start=[]) -%}
            {%- do read.append(id in asked and id not in known['built'] and not el_has_window([id])) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(read | length > 0 and read | select | list | length == read | length) -}}
{%- endmacro %}


{% macro el_has_window(ids, table=none) -%}
    {%- for id, source_name, read in el_known()['windows'] if id in ids and (table is none or read == table) -%}
        {{- return(true) -}}
    {%- endfor -%}
    {{- return(false) -}}
{%- endmacro %}
