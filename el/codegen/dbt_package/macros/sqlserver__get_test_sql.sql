{# How a test runs at the source. dbt-sqlserver would make a view for each test; here a test only reads, so that it needs
   no right but SELECT. #}
{% macro sqlserver__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    select
        {{ fail_calc }} as failures,
        case when {{ fail_calc }} {{ warn_if }} then 'true' else 'false' end as should_warn,
        case when {{ fail_calc }} {{ error_if }} then 'true' else 'false' end as should_error
    from (
        select {{ 'top (' ~ limit ~ ') ' if limit is not none }}tested.*
        from (
            {{ main_sql }}
        ) as tested
    ) as dbt_internal_test
{%- endmacro %}
