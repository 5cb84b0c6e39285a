{% macro el_files(source_name, table) -%}
    select
        taken.file_id,
        case when taken.member is null then taken.uri else taken.uri || '!/' || taken.member end as uri,
        taken.as_of
    from {{ source(source_name, '_el_files') }} as taken
    left join (
        select distinct replaces
        from {{ source(source_name, '_el_files') }}
        where
            table_name = '{{ table }}'
            and replaces is not null
            and _dlt_load_id in ({{ el_complete_loads(source_name) }})
    ) as later on taken.file_id = later.replaces
    where
        taken.table_name = '{{ table }}'
        and taken.status = 'loaded'
        and taken._dlt_load_id in ({{ el_complete_loads(source_name) }})
        and later.replaces is null
{%- endmacro %}
