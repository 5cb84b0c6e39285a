{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert', transient=false) }}
select id, amount, country, at from {{ ref('stg_orders') }}
