{% macro el_incremental(otherwise) -%}
    {%- set known = el_known() -%}
    {#- el_loads_taken itself never has news. -#}
    {%- set asked = known['asked'].get(model.unique_id, {} if model.name == 'el_loads_taken' else none) -%}
    {%- if asked is none or flags.EMPTY -%}
        {{- return(otherwise()) -}}
    {%- endif -%}
    {%- set shape = el_shape() -%}
    {%- set name = (this.schema ~ '.' ~ this.identifier) | lower -%}
    {%- set as_built = is_incremental() and known['shapes'].get(name) == shape -%}
    {%- if not as_built or el_has_hooks() -%}
        {%- if not as_built -%}
            {%- do known['built'].update({model.unique_id: shape}) -%}
        {%- endif -%}
        {{- return(otherwise()) -}}
    {%- endif -%}
    {%- if asked.values() | sum == 0 -%}
        {%- do store_raw_result('main', message='nothing new', code='SKIP', rows_affected=0) -%}
    {%- elif not el_holds_contract() -%}
        {{- return(otherwise()) -}}
    {%- else -%}
        {%- set arriving = '(\n' ~ compiled_code ~ '\n)' -%}
        {%- set columns = el_contract_columns() -%}
        {%- call statement('main') -%}
            {%- if config.get('incremental_strategy') == 'append' -%}
                insert into {{ this }} ({{ columns | join(', ') }})
                select {{ columns | join(', ') }}
                from {{ arriving }} as arrived
            {%- else -%}
                {{ el_merge(this, arriving, config.get('unique_key'), columns) }}
            {%- endif -%}
        {%- endcall -%}
        {%- if target.type == 'duckdb' -%}
            {%- do adapter.commit() -%}
        {%- endif -%}
    {%- endif -%}
    {{- return({'relations': [this.incorporate(type='table')]}) -}}
{%- endmacro %}


{% macro el_has_hooks() -%}
    {%- for hook in pre_hooks + post_hooks if render(hook.get('sql')) | trim -%}
        {{- return(true) -}}
    {%- endfor -%}
    {{- return(false) -}}
{%- endmacro %}


{% macro el_holds_contract() -%}
    {#- Someone may have altered the table by hand since it was built: a MERGE would round what its columns cannot hold. -#}
    {%- set held = {} -%}
    {%- for column in el_table_columns() -%}
        {%- do held.update({column.name | lower: el_column_type(column)}) -%}
    {%- endfor -%}
    {%- for column in model.columns.values() -%}
        {%- if not el_holds(held.get(column.name | lower, 'nothing'), column.data_type) -%}
            {{- return(false) -}}
        {%- endif -%}
    {%- endfor -%}
    {{- return(true) -}}
{%- endmacro %}


{% macro el_contract_columns() -%}
    {%- set names = [] -%}
    {%- for column in model.columns.values() -%}
        {%- do names.append(adapter.quote(column.name) if column.quote else column.name) -%}
    {%- endfor -%}
    {{- return(names) -}}
{%- endmacro %}
