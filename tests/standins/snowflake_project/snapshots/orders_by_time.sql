{% snapshot orders_by_time %}
{{ config(schema='snapshots', unique_key='id', strategy='timestamp', updated_at='at') }}
select id, amount, country, at from {{ source('raw', 'orders') }}
{% endsnapshot %}
