{% macro el_say_broken_rules() -%}
    {#- dbt says how many failures a test found; which rules are broken stands in the rows of the test. -#}
    {%- set many = ['el_row_rules', 'el_source_row_rules', 'el_raw_equals_ledger', 'el_documents_are_json', 'el_documents_fit', 'el_no_misfits'] -%}
    {%- for result in results if execute and result.node.resource_type == 'test' and result.status in ('fail', 'warn') -%}
        {%- set test = result.node -%}
        {%- if test.test_metadata and test.test_metadata.name in many -%}
            {%- set query = test.compiled_code -%}
            {%- if test.relation_name -%}
                {%- set query = 'select * from ' ~ test.relation_name -%}
            {%- endif -%}
            {%- set said = [] -%}
            {%- for row in run_query(query) -%}
                {%- if test.test_metadata.name == 'el_raw_equals_ledger' -%}
                    {%- do said.append(row[0] ~ ': load ' ~ row[1] ~ ' has ' ~ row[3] ~ ' rows, and ' ~ row[2] ~ ' in the ledger') -%}
                {%- elif test.test_metadata.name == 'el_no_misfits' -%}
                    {%- do said.append(row[0] ~ ': load ' ~ row[1] ~ ' has values that do not fit: ' ~ row[2]) -%}
                {%- else -%}
                    {%- do said.append(row[0] ~ ' (' ~ row[1] ~ ' rows)') -%}
                {%- endif -%}
            {%- endfor -%}
            {%- do log(test.name ~ ': ' ~ said[:20] | join('; '), info=true) -%}
            {%- do result.adapter_response.update({'broken': said}) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
