{% macro el_fetch_shapes() -%}
    {%- set notes = el_notes() -%}
    {%- if notes -%}
        {%- set query -%}
            select
                model,
                load_id
            from {{ notes }}
            where state = 'built'
            qualify row_number() over (partition by model order by noted_at desc, load_id) = 1
        {%- endset -%}
        {%- for row in run_query(query) -%}
            {%- do el_known()['shapes'].update({row[0]: row[1]}) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
