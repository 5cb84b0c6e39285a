{% macro el_view(otherwise) -%}
    {%- if not el_generated() -%}
        {{- return(otherwise()) -}}
    {%- endif -%}
    {%- set known = el_known() -%}
    {%- set there = load_cached_relation(this) -%}
    {%- set name = (this.schema ~ '.' ~ this.identifier) | lower -%}
    {%- set shape = local_md5(el_shape() ~ compiled_code) -%}
    {%- if el_has_hooks() or flags.EMPTY -%}
        {{- return(otherwise()) -}}
    {%- elif flags.FULL_REFRESH or there is none or not there.is_view or known['shapes'].get(name) != shape -%}
        {%- do known['built'].update({model.unique_id: shape}) -%}
        {{- return(otherwise()) -}}
    {%- endif -%}
    {%- do store_raw_result('main', message='as it was', code='SKIP', rows_affected=0) -%}
    {{- return({'relations': [this.incorporate(type='view')]}) -}}
{%- endmacro %}
