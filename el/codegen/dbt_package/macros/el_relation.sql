{% macro el_relation(relation) -%}
    {#- dbt looks by the quoting of the project, and a source has its own: Snowflake keeps in capitals what has no quotes. -#}
    {%- set names = [] -%}
    {%- for part in ['database', 'schema', 'identifier'] -%}
        {%- set folded = target.type == 'snowflake' and not relation.quote_policy[part] -%}
        {%- do names.append(relation[part] | upper if folded else relation[part]) -%}
    {%- endfor -%}
    {{- return(adapter.get_relation(names[0], names[1], names[2])) -}}
{%- endmacro %}
