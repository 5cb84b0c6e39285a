{% macro el_note(rows) -%}
    {%- set notes = el_notes() -%}
    {%- if rows and not notes -%}
        {%- do exceptions.warn('el_loads_taken is not built: what was taken is taken again by the next build') -%}
    {%- elif rows and not el_own_notes(notes) -%}
        {%- do log('el_loads_taken is deferred to ' ~ notes ~ ', where nothing is noted of this build', info=true) -%}
    {%- elif rows -%}
        {%- for some in rows | batch(5000) -%}
            {%- do run_query(
                'insert into ' ~ notes ~ ' (model, load_id, state, noted_at) select noted.*, ' ~ el_now()
                ~ ' from (' ~ el_rows(['model', 'load_id', 'state'], some) ~ ') as noted'
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}


{% macro el_own_notes(notes) -%}
    {#- With --defer a ref that is not selected is another environment's, such as production's. -#}
    {%- for id in el_notes_ids() -%}
        {%- set node = graph.nodes[id] -%}
        {%- set own = [node.database, node.schema, node.alias] | map('lower') | list -%}
        {%- if own == [notes.database, notes.schema, notes.identifier] | map('lower') | list -%}
            {{- return(true) -}}
        {%- endif -%}
    {%- endfor -%}
    {{- return(false) -}}
{%- endmacro %}
