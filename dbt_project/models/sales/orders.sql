{{
    config(
        unique_key=['order_id'],
        pre_hook="{{ el_announce_loads('shop', 'orders') }}",
        post_hook="{{ el_record_loads() }}"
    )
}}

with orders as (
    {{ el_current_state(ref('stg_shop__orders'), 'shop', 'orders', key=['order_id']) }}
)

select
    order_id,
    customer_id,
    ordered_at,
    status,
    note,
    updated_at,
    _dlt_load_id,
    _el_op,
    _el_position,
    _el_extracted_at
from orders
