{% macro el_held_columns(columns, held='held') -%}
    {%- set idle = el_is_idle() -%}
    {%- set there = el_table_columns() | map(attribute='name') | map('lower') | list if execute and not idle else [] -%}
    {%- for name in columns -%}
        {{ held ~ '.' ~ name if idle or name in there else 'null as ' ~ name }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{% macro el_table_columns() -%}
    {#- Of the current model as it is, asked once a run. -#}
    {%- set known = el_known()['columns'] -%}
    {%- if model.unique_id not in known -%}
        {%- do known.update({model.unique_id: adapter.get_columns_in_relation(this)}) -%}
    {%- endif -%}
    {{- return(known[model.unique_id]) -}}
{%- endmacro %}


{% macro el_is_idle() -%}
    {#- Whether the current model is as it was built and has nothing to take: its query is written and never asked. -#}
    {%- set news = el_known()['asked'].get(model.unique_id, {'': 1}).values() | sum -%}
    {{- return(execute and is_incremental() and not flags.EMPTY and news == 0 and el_as_built()) -}}
{%- endmacro %}
