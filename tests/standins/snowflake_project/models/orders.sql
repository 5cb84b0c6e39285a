{{ config(materialized='table') }}
select id, amount, country, at from {{ ref('stg_orders') }}
