{% macro el_begin_tests() -%}
    {%- set notes = ref('el_loads_taken') -%}
    {%- set tests = [] -%}
    {%- for id in selected_resources if execute and target.name != 'source' and id in graph.nodes -%}
        {%- if graph.nodes[id].resource_type == 'test' -%}
            {%- do tests.append(graph.nodes[id]) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if tests -%}
        {#- Once, before the threads of a run would each ask. -#}
        {%- for parent in tests | sum(attribute='depends_on.nodes', start=[]) | unique if parent in graph.sources -%}
            {%- if graph.sources[parent].name == '_el_ledger' -%}
                {%- do el_tested(graph.sources[parent].source_name) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do el_known().update({'failed': el_failed_tests(), 'no_failures': none}) -%}
        {%- if var('el_tests', 'all') == 'changed' -%}
            {%- set readers = {} -%}
            {%- for reader in el_readers() -%}
                {%- do readers.setdefault((reader.source_name, reader.table), []).append(reader.id) -%}
            {%- endfor -%}
            {%- do el_known().update({
                'readers': readers,
                'no_failures': run_query('select 0 as failures, false as should_warn, false as should_error'),
            }) -%}
        {%- endif -%}
        {%- if var('el_tests', 'all') != 'changed' or el_known()['windows'] or el_known()['failed'] -%}
            {%- do el_known().update({'since': el_tested_since(tests)}) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{% macro el_failed_tests() -%}
    {%- set failed = [] -%}
    {%- set notes = el_notes() -%}
    {%- if notes -%}
        {%- set query -%}
            select
                model,
                state
            from {{ notes }}
            where state in ('failed', 'passed')
            qualify row_number() over (partition by model order by noted_at desc, state) = 1
        {%- endset -%}
        {%- for row in run_query(query) if row[1] == 'failed' -%}
            {%- do failed.append(row[0]) -%}
        {%- endfor -%}
    {%- endif -%}
    {{- return(failed) -}}
{%- endmacro %}
