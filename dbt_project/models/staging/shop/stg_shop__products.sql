select
    cast(product_id as integer) as product_id,
    cast(sku as varchar) as sku,
    cast(name as varchar) as name,
    cast(price as numeric(12, 4)) as price,
    cast(weight_kg as double) as weight_kg,
    cast(updated_at as {{ dbt.type_timestamp() }}) as updated_at,
    _dlt_load_id,
    _el_op,
    _el_position,
    _el_extracted_at
from {{ source('shop', 'products') }}
