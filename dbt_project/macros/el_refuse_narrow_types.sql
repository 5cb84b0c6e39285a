{% macro el_refuse_narrow_types(source_name, table) -%}
    {%- if execute and flags.WHICH in ['run', 'build'] and model.resource_type == 'model' -%}
        {%- set cast_to = {} -%}
        {%- for node in graph.sources.values() if node.source_name == source_name and node.name == table -%}
            {%- for column in node.columns.values() if column.meta.get('stands_for') -%}
                {%- do cast_to.update({column.name: column.meta['stands_for']}) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- set query -%}
            select
                column_name,
                stands_for
            from {{ el_columns(source_name) }}
            where
                table_name = '{{ table }}'
                and _dlt_load_id in ({{ el_complete_loads(source_name) }})
            qualify row_number() over (partition by column_name order by _dlt_load_id desc) = 1
        {%- endset -%}
        {%- for row in run_query(query) -%}
            {%- set type = cast_to.get(row[0], row[1]) -%}
            {%- if not el_holds(type, row[1]) -%}
                {%- do exceptions.raise_compiler_error(
                    source_name ~ '.' ~ table ~ '.' ~ row[0] ~ ' is ' ~ row[1] | lower
                    ~ ' now, and staging would make ' ~ type ~ ' of it: run python -m el codegen'
                ) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
