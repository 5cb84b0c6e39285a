{% macro el_begin() -%}
    {%- set readers = el_readers(selected_resources) if execute and target.name != 'source' else [] -%}
    {%- if readers -%}
        {%- set known = el_known() -%}
        {%- for source_name in readers | map(attribute='source_name') | unique -%}
            {%- do el_fetch_windows(source_name, readers | selectattr('source_name', 'equalto', source_name) | list) -%}
        {%- endfor -%}
        {%- for id, source_name, table in known['windows'] | list if source_name not in known['types'] -%}
            {%- do el_landed_types(source_name) -%}
        {%- endfor -%}
        {%- do el_fetch_shapes() -%}
        {#- A model that fails or is killed before it took anything is known all the same: purge waits for it. -#}
        {%- set rows = [] -%}
        {%- for window in known['windows'].values() if not window.noted -%}
            {%- do rows.append((window.model, window.loads[0].id, 'announced')) -%}
        {%- endfor -%}
        {%- if el_notes() -%}
            {%- do el_note(rows) -%}
        {%- endif -%}
    {%- endif -%}
    {#- The same for what the parser has to see. -#}
    {%- set notes = ref('el_loads_taken') -%}
{%- endmacro %}
