select
    cast(order_id as integer) as order_id,
    cast(customer_id as integer) as customer_id,
    cast(ordered_at as {{ dbt.type_timestamp() }}) as ordered_at,
    cast(status as varchar) as status,
    cast(note as varchar) as note,
    cast(updated_at as {{ dbt.type_timestamp() }}) as updated_at,
    _dlt_load_id,
    _el_op,
    _el_position,
    _el_extracted_at
from {{ source('shop', 'orders') }}
