{{ config(materialized='incremental', incremental_strategy='append') }}
select id, amount, country, at from {{ ref('stg_orders') }}
{% if is_incremental() %} where at > (select max(at) from {{ this }}) {% endif %}
