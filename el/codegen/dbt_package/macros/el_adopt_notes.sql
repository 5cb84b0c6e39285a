{% macro el_adopt_notes() -%}
    {%- set notes = el_notes() -%}
    {%- set pairs = [] -%}
    {%- for reader in el_readers() -%}
        {%- set node = graph.nodes[reader.id] -%}
        {%- set original = (node.config.schema or target.schema) ~ '.' ~ node.alias -%}
        {%- if original | lower != reader.model and (original | lower, reader.model) not in pairs -%}
            {%- do pairs.append((original | lower, reader.model)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if execute and notes and pairs -%}
        {%- do run_query(
            'insert into ' ~ notes ~ ' (model, load_id, state, noted_at) '
            ~ 'select adopted.adopted_by, noted.load_id, noted.state, noted.noted_at from ' ~ notes ~ ' as noted '
            ~ 'inner join (' ~ el_rows(['original', 'adopted_by'], pairs) ~ ') as adopted on noted.model = adopted.original '
            ~ 'left join (select distinct model from ' ~ notes ~ ') as known on adopted.adopted_by = known.model '
            ~ 'where known.model is null'
        ) -%}
    {%- endif -%}
{%- endmacro %}
