{% macro el_generated() -%}
    {#- What overrides dbt does so for the models that codegen wrote, edited or not, and for no other. -#}
    {{- return('`python -m el codegen`' in (model.get('raw_code') or '').partition('\n')[0]) -}}
{%- endmacro %}
