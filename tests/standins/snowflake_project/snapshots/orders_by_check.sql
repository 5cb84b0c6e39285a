{% snapshot orders_by_check %}
{{ config(schema='snapshots', unique_key='id', strategy='check', check_cols=['amount'], hard_deletes='invalidate') }}
select id, amount, country, at from {{ source('raw', 'orders') }}
{% endsnapshot %}
