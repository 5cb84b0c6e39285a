{{ config(materialized='incremental', incremental_strategy='append') }}

-- Models write here by their hooks: el_announce_loads before they build, el_record_loads after.
select
    cast(null as varchar) as model,
    cast(null as varchar) as load_id,
    cast(null as varchar) as state,
    cast(null as {{ dbt.type_timestamp() }}) as noted_at
where 1 = 0
