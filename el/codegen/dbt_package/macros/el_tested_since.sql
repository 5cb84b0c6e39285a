{% macro el_tested_since(tests) -%}
    {%- set firsts = {} -%}
    {%- for reader in el_readers(el_large_models(tests)) -%}
        {%- set tested = el_tested(reader.source_name)['loads'].get(reader.table, []) -%}
        {%- if tested -%}
            {%- set found = firsts.setdefault(reader.id, []) -%}
            {%- do found.append(tested[0]) -%}
            {#- What this run takes is tested, however long ago it was loaded. -#}
            {%- set window = el_known()['windows'].get((reader.id, reader.source_name, reader.table), {}) -%}
            {%- for load in window.get('loads', []) -%}
                {%- do found.append(load.id) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set since = {} -%}
    {%- for id, found in firsts.items() -%}
        {%- do since.update({id: found | min}) -%}
    {%- endfor -%}
    {{- return(since) -}}
{%- endmacro %}


{% macro el_large_models(tests) -%}
    {#- Asked is what the catalog knows, for which no warehouse has to run. -#}
    {%- set most = var('el_tested_rows', 100000000) -%}
    {%- set places = {} -%}
    {%- for test in tests if most and (test.test_metadata or {}).get('name') in el_row_tests() -%}
        {%- set node = graph.nodes.get(test.attached_node) -%}
        {%- if node and '_dlt_load_id' in node.columns -%}
            {%- set relation = api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias) -%}
            {%- if el_relation(relation) -%}
                {%- do places.setdefault(relation.without_identifier() | string, {}).update({node.alias | lower: node}) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set large = [] -%}
    {%- for place, nodes in places.items() -%}
        {%- set node = nodes.values() | first -%}
        {%- for row in run_query(el_row_counts_sql(place, node.database, node.schema)) -%}
            {%- if (row['name'] | lower) in nodes and row['rows'] | int > most -%}
                {%- do large.append(nodes[row['name'] | lower].unique_id) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(large) -}}
{%- endmacro %}


{% macro el_row_counts_sql(place, database, schema) -%}
    {%- if target.type == 'snowflake' -%}
    show tables in schema {{ place }}
    {%- else -%}
    select
        table_name as "name",
        estimated_size as "rows"
    from duckdb_tables()
    where
        lower(database_name) = '{{ database | lower }}'
        and lower(schema_name) = '{{ schema | lower }}'
    {%- endif -%}
{%- endmacro %}
