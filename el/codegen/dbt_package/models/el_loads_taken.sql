{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        schema='staging',
        transient=true
    )
}}

-- Written by el_end when a build ends, and by el_begin for a model that has taken nothing yet.
select
    cast(null as varchar) as model,
    cast(null as varchar) as load_id,
    cast(null as varchar) as state,
    cast(null as {{ dbt.type_timestamp() }}) as noted_at
where 1 = 0
