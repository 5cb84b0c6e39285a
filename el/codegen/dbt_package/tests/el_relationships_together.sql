{% test el_relationships_together(model, columns, to, fields, ignore_case=false, ignore_blanks=false) %}

with tested as (
    select * from {{ model }}
)

select tested.*
from tested
where
    {% for column in columns %}tested.{{ column }} is not null{{ ' and ' if not loop.last }}{% endfor %}
    and not exists (
        select 1
        from {{ to }} as parent
        where {{ el_same_columns('parent', fields, 'tested', columns, ignore_case, ignore_blanks) }}
    )

{% endtest %}
