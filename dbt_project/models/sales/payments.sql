{{
    config(
        unique_key=['payment_id'],
        pre_hook="{{ el_announce_loads('shop', 'payments') }}",
        post_hook="{{ el_record_loads() }}"
    )
}}

with payments as (
    {{ el_current_state(ref('stg_shop__payments'), 'shop', 'payments', key=['payment_id']) }}
)

select
    payment_id,
    order_id,
    method,
    amount,
    paid_at,
    updated_at,
    _dlt_load_id,
    _el_op,
    _el_position,
    _el_extracted_at
from payments
