select
    cast(customer_id as integer) as customer_id,
    cast(name as varchar) as name,
    cast(email as varchar) as email,
    cast(country as varchar) as country,
    cast(is_company as boolean) as is_company,
    cast(credit_limit as numeric(12, 2)) as credit_limit,
    cast(born_on as date) as born_on,
    cast(updated_at as {{ dbt.type_timestamp() }}) as updated_at,
    _dlt_load_id,
    _el_op,
    _el_position,
    _el_extracted_at
from {{ source('shop', 'customers') }}
