select id, amount, country, at, loaded_at from {{ source('raw', 'orders') }}
