{% macro el_digits(type) -%}
    {%- set whole = {
        'utinyint': 3, 'tinyint': 3, 'smallint': 5, 'usmallint': 5, 'integer': 10, 'uinteger': 10,
        'bigint': 19, 'ubigint': 20, 'hugeint': 39, 'uhugeint': 39,
    } -%}
    {%- set kinds = {
        'decimal': 'number', 'numeric': 'number', 'number': 'number', 'double': 'float', 'float': 'float', 'real': 'float',
        'varchar': 'text', 'text': 'text', 'string': 'text', 'character varying': 'text',
        'binary': 'binary', 'varbinary': 'binary', 'blob': 'binary',
    } -%}
    {%- set found = modules.re.match('([a-z_ ]+)(?:[(]([0-9]+)(?:, ?([0-9]+))?[)])?$', type | lower | trim) -%}
    {%- if not found -%}
        {{- return((type | lower, 0, 0)) -}}
    {%- endif -%}
    {%- set name = found[1] | trim -%}
    {%- set kind = kinds.get(name, name) -%}
    {%- if name in whole -%}
        {{- return(('number', whole[name], 0)) -}}
    {%- elif kind == 'number' -%}
        {%- set scale = (found[3] or 0) | int -%}
        {{- return((kind, (found[2] or 38) | int - scale, scale)) -}}
    {%- elif kind in ['text', 'binary', 'float'] -%}
        {{- return((kind, 0, 0)) -}}
    {%- endif -%}
    {{- return((kind, 0, (found[2] or 9) | int)) -}}
{%- endmacro %}
