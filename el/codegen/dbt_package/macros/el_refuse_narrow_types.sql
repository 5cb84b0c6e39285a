{% macro el_refuse_narrow_types(source_name, table) -%}
    {%- if flags.WHICH in ['run', 'build', 'retry'] and model.resource_type == 'model' -%}
        {%- set cast_to = {} -%}
        {%- for node in graph.sources.values() if node.source_name == source_name and node.name == table -%}
            {%- for column in node.columns.values() if column.meta.get('stands_for') -%}
                {%- do cast_to.update({column.name: column.meta['stands_for']}) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- for name, arriving in el_landed_types(source_name).get(table, {}).items() -%}
            {%- set type = cast_to.get(name, arriving) -%}
            {%- if not el_holds(type, arriving) -%}
                {%- do exceptions.raise_compiler_error(
                    source_name ~ '.' ~ table ~ '.' ~ name ~ ' is ' ~ arriving | lower
                    ~ ' now, and staging would make ' ~ type ~ ' of it: run python -m el codegen'
                ) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}


{% macro el_landed_types(source_name) -%}
    {%- set known = el_known()['types'] -%}
    {%- if source_name not in known -%}
        {%- set query -%}
            select
                table_name,
                column_name,
                stands_for
            from {{ el_columns(source_name) }}
            where _dlt_load_id in ({{ el_complete_loads(source_name) }})
            qualify row_number() over (partition by table_name, column_name order by _dlt_load_id desc) = 1
        {%- endset -%}
        {%- set types = {} -%}
        {%- for row in run_query(query) -%}
            {%- do types.setdefault(row[0], {}).update({row[1]: row[2]}) -%}
        {%- endfor -%}
        {%- do known.update({source_name: types}) -%}
    {%- endif -%}
    {{- return(known[source_name]) -}}
{%- endmacro %}
