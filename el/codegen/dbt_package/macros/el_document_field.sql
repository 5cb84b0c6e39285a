{% macro el_document_field(column, path, type, form='json') -%}
    {#- A value fits with all its digits, or it is NULL: el_document_misfit says of which rows. -#}
    {%- set known = el_document_form(form) -%}
    {%- set steps = el_document_steps(path, form) -%}
    {%- set text = el_document_scalar(column, steps, form, type) -%}
    {%- set kind = type.split('(')[0] -%}
    {%- if kind == 'varchar' -%}
        {{ text }}
    {%- elif kind == 'boolean' -%}
        case {{ text }} when 'true' then true when 'false' then false end
    {%- elif kind == 'binary' -%}
        {%- set bytes = el_document_text(column, steps + known['binary']) -%}
        {%- if target.type == 'snowflake' -%}
        coalesce(try_base64_decode_binary({{ bytes }}), to_binary({{ text }}, 'utf-8'))
        {%- else -%}
        coalesce(try(from_base64({{ bytes }})), encode({{ text }}))
        {%- endif -%}
    {%- elif kind == 'timestamptz' and known.get('instant') -%}
        {%- set inside = steps + [known['instant']] -%}
        {%- set milliseconds = 'try_cast(' ~ el_document_text(column, inside + ['$numberLong']) ~ ' as bigint)' -%}
        coalesce(
            case when {{ milliseconds }} between -62135596800000 and 253402300799999 then
            {%- if target.type == 'snowflake' %} to_timestamp_tz({{ milliseconds }}, 3)
            {%- else %} make_timestamptz({{ milliseconds }} * 1000)
            {%- endif %} end,
            {{ el_document_cast(el_document_text(column, inside), type) }},
            {{ el_document_cast(text, type) }}
        )
    {%- else -%}
        {{ el_document_cast(text, type) }}
    {%- endif -%}
{%- endmacro %}


{% macro el_document_scalar(column, steps, form, type) -%}
    {#- The text of a number, a text, true or false; of a number that the warehouse has rounded, none. -#}
    {%- set known = el_document_form(form) -%}
    {%- set named = el_document_texts(column, steps, known['values']) -%}
    {%- if known['within'] -%}
        {{- return(named) -}}
    {%- endif -%}
    {%- set json_type, text = el_document_type(column, steps), el_document_text(column, steps) -%}
    {%- set kind = type.split('(')[0] -%}
    {%- set conditions = ["when " ~ json_type ~ " in ('NULL', 'NULL_VALUE', 'ARRAY') then null"] -%}
    {%- do conditions.append("when " ~ json_type ~ " = 'OBJECT' then " ~ named) -%}
    {%- if kind == 'varchar' -%}
        {%- do conditions.append("when " ~ json_type ~ " in ('DOUBLE', 'DECIMAL') then null") -%}
    {%- elif kind in ('bigint', 'decimal') and target.type == 'snowflake' -%}
        {%- do conditions.append("when " ~ json_type ~ " = 'DOUBLE' then null") -%}
    {%- elif kind in ('bigint', 'decimal') -%}
        {#- DuckDB gives a number with a fraction by way of a float, which is exact up to 15 digits. A name that JSON may
            write in several ways is any name. -#}
        {%- set name = '"' ~ steps[-1] if modules.re.match('[A-Za-z0-9_]+$', steps[-1]) else '' -%}
        {%- set long = name ~ '"\\s*:\\s*[-+0-9.eE]{17,}' -%}
        {%- do conditions.append(
            "when " ~ json_type ~ " = 'DOUBLE' and regexp_matches(" ~ text ~ ", '[.eE]') and regexp_matches(cast("
            ~ column ~ " as varchar), " ~ el_literal(long) ~ ") then null"
        ) -%}
    {%- endif -%}
    {{- return('case ' ~ conditions | join(' ') ~ ' else ' ~ text ~ ' end') -}}
{%- endmacro %}


{% macro el_document_cast(text, type) -%}
    {%- set kind = type.split('(')[0] -%}
    {%- set scale = type.split(',')[1].strip(' )') if ',' in type else '0' -%}
    {%- set fraction = '0+' if scale == '0' else '[0-9]{1,' ~ scale ~ '}0*' -%}
    {%- set day, clock = '[0-9]{4}-[0-9]{2}-[0-9]{2}', '[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?' -%}
    {%- set forms = {
        'bigint': '[+-]?[0-9]+([.]0*)?',
        'decimal': '[+-]?([0-9]+([.](' ~ fraction ~ ')?)?|[.]' ~ fraction ~ ')',
        'double': '[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|NaN|-?Infinity',
        'date': day,
        'timestamp': day ~ clock,
        'timestamptz': day ~ clock ~ '(Z|[+-][0-9]{2}:[0-9]{2})',
    } -%}
    {%- set types = {
        'date': 'date', 'double': 'double',
        'timestamp': el_type('timestamp', 'timestamp_ntz(6)') | trim,
        'timestamptz': el_type('timestamp with time zone', 'timestamp_tz(6)') | trim,
    } -%}
    {%- set fits = ('regexp_like(' if target.type == 'snowflake' else 'regexp_full_match(') ~ text ~ ", '" ~ forms[kind] ~ "')" -%}
    {%- if kind == 'bigint' -%}
        case when {{ fits }} then try_cast(split_part({{ text }}, '.', 1) as bigint) end
    {%- elif kind == 'decimal' -%}
        case when {{ fits }} then try_cast({{ text }} as {{ type }}) end
    {%- elif kind == 'double' -%}
        case
            when
                {{ fits }}
                and ({{ text }} like '%Infinity' or abs(try_cast({{ text }} as double)) <> cast('Infinity' as double))
                then try_cast({{ text }} as double)
        end
    {%- else -%}
        case when {{ fits }} and {{ text }} not like '0000%' then try_cast({{ text }} as {{ types[kind] }}) end
    {%- endif -%}
{%- endmacro %}


{% macro el_document_misfit(column, path, type, form='json') -%}
    {#- Whether something stands at a path, or in its way, of which el_document_field makes NULL. -#}
    {%- set known = el_document_form(form) -%}
    {%- set steps = el_document_steps(path, form) -%}
    ({{ el_document_present(column, steps, form) }} and ({{ el_document_field(column, path, type, form) }}) is null)
    {%- for name in path[:-1] %}
    {%- set before = el_document_steps(path[:loop.index], form) %}
    or (
        {{ el_document_present(column, before, form) }}
        {%- if known['within'] %}
        and {{ el_document_type(column, before + known['within']) }} is null
        {%- else %}
        and (
            {{ el_document_type(column, before) }} <> 'OBJECT'
            or {{ el_document_texts(column, before, known['values'] + ([known['instant']] if known.get('instant') else [])) }} is not null
            or {{ el_document_text(column, before + known['binary']) }} is not null
        )
        {%- endif %}
    )
    {%- endfor %}
{%- endmacro %}


{% macro el_document_present(column, steps, form) -%}
    {%- set null_name = el_document_form(form).get('null') -%}
    coalesce({{ el_document_type(column, steps) }}, 'NULL') not in ('NULL', 'NULL_VALUE')
    {%- if null_name %} and {{ el_document_type(column, steps + [null_name]) }} is null{% endif -%}
{%- endmacro %}
