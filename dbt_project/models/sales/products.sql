{{
    config(
        unique_key=['product_id'],
        pre_hook="{{ el_announce_loads('shop', 'products') }}",
        post_hook="{{ el_record_loads() }}"
    )
}}

with products as (
    {{ el_current_state(ref('stg_shop__products'), 'shop', 'products', key=['product_id']) }}
)

select
    product_id,
    sku,
    name,
    price,
    weight_kg,
    updated_at,
    _dlt_load_id,
    _el_op,
    _el_position,
    _el_extracted_at
from products
