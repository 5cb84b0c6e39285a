{{ config(materialized='incremental', unique_key='id', incremental_strategy='merge', on_schema_change='append_new_columns') }}
select id, amount, country, at from {{ ref('stg_orders') }}
{% if is_incremental() %} where at >= (select max(at) from {{ this }}) {% endif %}
