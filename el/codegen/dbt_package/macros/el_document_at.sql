{% macro el_document_form(form) -%}
    {%- set forms = {
        'json': {'within': [], 'values': [], 'binary': ['$binary', 'base64']},
        'extended_json': {
            'within': [],
            'values': ['$numberInt', '$numberLong', '$numberDouble', '$numberDecimal', '$oid', '$symbol'],
            'instant': '$date',
            'binary': ['$binary', 'base64'],
        },
        'dynamodb_json': {'within': ['M'], 'values': ['N', 'S', 'BOOL'], 'null': 'NULL', 'binary': ['B']},
    } -%}
    {{- return(forms[form]) -}}
{%- endmacro %}


{% macro el_document_steps(path, form) -%}
    {#- From a field to one inside it leads what the form writes in between. -#}
    {%- set steps = [] -%}
    {%- for name in path -%}
        {%- do steps.extend(([] if loop.first else el_document_form(form)['within']) + [name]) -%}
    {%- endfor -%}
    {{- return(steps) -}}
{%- endmacro %}


{% macro el_document_at(column, steps) -%}
    {%- if target.type == 'snowflake' -%}
        {%- set at = namespace(sql="parse_json(" ~ column ~ ", 'd')") -%}
        {%- for step in steps -%}
            {%- set at.sql = 'get(' ~ at.sql ~ ', ' ~ el_literal(step | replace('\\', '\\\\')) ~ ')' -%}
        {%- endfor -%}
        {{- return(at.sql) -}}
    {%- endif -%}
    {%- set path = namespace(text='$') -%}
    {%- for step in steps -%}
        {%- set path.text = path.text ~ '."' ~ (step | replace('\\', '\\\\') | replace('"', '\\"')) ~ '"' -%}
    {%- endfor -%}
    {{- return(column ~ ', ' ~ el_literal(path.text)) -}}
{%- endmacro %}


{% macro el_literal(text) -%}
    {{- return("'" ~ (text | replace("'", "''")) ~ "'") -}}
{%- endmacro %}


{% macro el_document_type(column, steps) -%}
    {%- set at = el_document_at(column, steps) -%}
    {{- return('typeof(' ~ at ~ ')' if target.type == 'snowflake' else 'json_type(' ~ at ~ ')') -}}
{%- endmacro %}


{% macro el_document_text(column, steps) -%}
    {%- set at = el_document_at(column, steps) -%}
    {{- return('cast(' ~ at ~ ' as varchar)' if target.type == 'snowflake' else 'json_extract_string(' ~ at ~ ')') -}}
{%- endmacro %}


{% macro el_document_texts(column, steps, names) -%}
    {%- set texts = [] -%}
    {%- for name in names -%}
        {%- do texts.append(el_document_text(column, steps + [name])) -%}
    {%- endfor -%}
    {{- return('coalesce(' ~ texts | join(', ') ~ ', null)' if texts else 'cast(null as varchar)') -}}
{%- endmacro %}
