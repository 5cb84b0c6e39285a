{{
    config(
        unique_key=['order_id', 'line_no'],
        pre_hook="{{ el_announce_loads('shop', 'order_lines') }}",
        post_hook="{{ el_record_loads() }}"
    )
}}

with order_lines as (
    {{ el_current_state(ref('stg_shop__order_lines'), 'shop', 'order_lines', key=['order_id', 'line_no']) }}
)

select
    order_id,
    line_no,
    product_id,
    quantity,
    unit_price,
    discount,
    _dlt_load_id,
    _el_op,
    _el_position,
    _el_extracted_at
from order_lines
