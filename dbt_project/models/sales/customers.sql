{{
    config(
        unique_key=['customer_id'],
        pre_hook="{{ el_announce_loads('shop', 'customers') }}",
        post_hook="{{ el_record_loads() }}"
    )
}}

with customers as (
    {{ el_current_state(ref('stg_shop__customers'), 'shop', 'customers', key=['customer_id']) }}
)

select
    customer_id,
    name,
    email,
    country,
    is_company,
    credit_limit,
    born_on,
    updated_at,
    _dlt_load_id,
    _el_op,
    _el_position,
    _el_extracted_at
from customers
