select
    cast(order_id as integer) as order_id,
    cast(line_no as smallint) as line_no,
    cast(product_id as integer) as product_id,
    cast(quantity as integer) as quantity,
    cast(unit_price as numeric(12, 4)) as unit_price,
    cast(discount as numeric(5, 4)) as discount,
    _dlt_load_id,
    _el_op,
    _el_position,
    _el_extracted_at
from {{ source('shop', 'order_lines') }}
