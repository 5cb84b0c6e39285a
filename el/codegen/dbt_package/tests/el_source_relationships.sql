{% test el_source_relationships(model, source_name, table, columns, to, fields, at_source=none, fields_at_source=none, ignore_case=false, ignore_blanks=false) %}

{%- set names = el_tested_names(columns, at_source) %}
{%- set theirs = el_tested_names(fields, fields_at_source) %}

select tested.*
from {{ el_tested_rows(model, source_name, table) }} as tested
where
    {% for name in names %}tested.{{ name }} is not null{{ ' and ' if not loop.last }}{% endfor %}
    and not exists (
        select 1
        from {{ to }} as parent
        where
            {{
                el_same_columns(
                    'parent', theirs, 'tested', names,
                    ignore_case and target.name != 'source',
                    ignore_blanks and target.name != 'source'
                )
            }}
    )

{% endtest %}
