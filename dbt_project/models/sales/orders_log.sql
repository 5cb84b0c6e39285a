{{ config(incremental_strategy='append') }}

with landed as (
    {{ el_append_log(ref('stg_shop__orders'), 'shop', 'orders') }}
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
from landed
