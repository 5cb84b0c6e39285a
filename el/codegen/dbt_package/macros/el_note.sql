{% macro el_note(rows) -%}
    {%- set notes = el_notes() -%}
    {%- if rows and not notes -%}
        {%- do exceptions.warn('el_loads_taken is not built: what was taken is taken again by the next build') -%}
    {%- endif -%}
    {%- for some in rows | batch(5000) if notes -%}
        {%- do run_query(
            'insert into ' ~ notes ~ ' (model, load_id, state, noted_at) select noted.*, ' ~ el_now()
            ~ ' from (' ~ el_rows(['model', 'load_id', 'state'], some) ~ ') as noted'
        ) -%}
    {%- endfor -%}
{%- endmacro %}
