{% macro el_known() -%}
    {#- The graph is the one object that all nodes and hooks of a run share. -#}
    {%- set known = graph.setdefault('el', {}) -%}
    {%- if known.get('run') != invocation_id -%}
        {%- do known.clear() -%}
        {%- do known.update({
            'run': invocation_id, 'windows': {}, 'fetched': {}, 'types': {}, 'shapes': {}, 'asked': {}, 'built': {},
            'columns': {},
        }) -%}
    {%- endif -%}
    {{- return(known) -}}
{%- endmacro %}
