{% macro duckdb__get_where_subquery(relation) -%}
    {%- do return(el_where_subquery(relation)) -%}
{%- endmacro %}


{% macro snowflake__get_where_subquery(relation) -%}
    {%- do return(el_where_subquery(relation)) -%}
{%- endmacro %}
