{% macro el_end() -%}
    {%- set notes = ref('el_loads_taken') -%}
    {%- if execute and not flags.EMPTY and not flags.SAMPLE -%}
        {%- set known = el_known() -%}
        {%- set rows = [] -%}
        {%- for result in results if result.node.resource_type == 'model' -%}
            {%- for key, window in known['windows'].items() if key[0] == result.node.unique_id -%}
                {%- if result.status == 'success' -%}
                    {#- With --full-refresh the notes may have been emptied too. -#}
                    {%- for load in window.loads if flags.FULL_REFRESH or not load.taken -%}
                        {%- do rows.append((window.model, load.id, 'taken')) -%}
                    {%- endfor -%}
                {%- elif not window.noted -%}
                    {%- do rows.append((window.model, window.loads[0].id, 'announced')) -%}
                {%- endif -%}
            {%- endfor -%}
            {%- set shape = known['built'].get(result.node.unique_id) -%}
            {%- if shape and result.status == 'success' -%}
                {%- do rows.append(((result.node.schema ~ '.' ~ result.node.alias) | lower, shape, 'built')) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do el_note(rows) -%}
    {%- endif -%}
{%- endmacro %}
