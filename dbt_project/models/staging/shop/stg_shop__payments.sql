select
    cast(payment_id as integer) as payment_id,
    cast(order_id as integer) as order_id,
    cast(method as varchar) as method,
    cast(amount as numeric(14, 2)) as amount,
    cast(paid_at as {{ dbt.type_timestamp() }}) as paid_at,
    cast(updated_at as {{ dbt.type_timestamp() }}) as updated_at,
    _dlt_load_id,
    _el_op,
    _el_position,
    _el_extracted_at
from {{ source('shop', 'payments') }}
