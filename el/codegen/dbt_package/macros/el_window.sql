{% macro el_window(source_name, table) -%}
    {%- set loads = el_window_loads(source_name, table) -%}
    {%- if loads -%}
        {%- do el_refuse_narrow_types(source_name, table) -%}
    {%- endif -%}
    {%- set snapshots = loads | selectattr('kind', 'equalto', 'snapshot') | map(attribute='id') | list -%}
    {%- set first = '' -%}
    {%- if is_incremental() -%}
        {#- No load id is greater than this: of raw nothing is read. -#}
        {%- set first = loads[0].id if loads else '~' -%}
    {%- endif -%}
    {{- return({
        'source_name': source_name,
        'table': table,
        'loads': loads,
        'first': first,
        'snapshots': snapshots,
        'snapshot': snapshots | last | default('', true),
    }) -}}
{%- endmacro %}


{% macro el_window_loads(source_name, table) -%}
    {#- They are in the text of the query: Snowflake skips no micro-partition by what a subquery says. -#}
    {%- set notes = ref('el_loads_taken') -%}
    {%- set known = source(source_name, '_dlt_loads'), source(source_name, '_el_ledger') -%}
    {%- if not execute -%}
        {{- return([]) -}}
    {%- endif -%}
    {%- set known = el_known() -%}
    {%- set key = (model.unique_id, source_name, table) -%}
    {%- set reader = {
        'id': model.unique_id,
        'model': (this.schema ~ '.' ~ this.identifier) | lower,
        'source_name': source_name,
        'table': table,
    } -%}
    {%- if source_name not in known['fetched'] -%}
        {%- do el_fetch_windows(source_name, el_readers() | selectattr('source_name', 'equalto', source_name) | list) -%}
    {%- endif -%}
    {%- set found = known['windows'].get(key) -%}
    {%- if not is_incremental() and (found is none or found.noted) and not flags.FULL_REFRESH -%}
        {%- do el_fetch_windows(source_name, [reader], whole=true) -%}
    {%- elif model.unique_id not in known['fetched'][source_name] -%}
        {%- do el_fetch_windows(source_name, [reader]) -%}
    {%- endif -%}
    {%- set loads = known['windows'].get(key, {}).get('loads', []) -%}
    {%- set asked = known['asked'].setdefault(model.unique_id, {}) -%}
    {%- do asked.update({(source_name, table): loads | length}) -%}
    {{- return(loads) -}}
{%- endmacro %}


{% macro el_window_ctes(window, since) -%}
    {#- The loads from `since` on, each with the next snapshot after it. -#}
    el_loads as (
        {%- if window.loads | length > var('el_literal_loads', 5000) %}
        select
            _dlt_load_id,
            min(case when kind = 'snapshot' then _dlt_load_id end) over (
                order by _dlt_load_id rows between 1 following and unbounded following
            ) as _el_next_snapshot
        from ({{ el_loads(window.source_name, window.table) }}) as el_ledger
        where _dlt_load_id >= '{{ since }}'
        {%- else %}
        {%- set rows = [] -%}
        {%- set later = namespace(snapshot=none) -%}
        {%- for load in window.loads | reverse if load.id >= since -%}
            {%- do rows.append((load.id, later.snapshot)) -%}
            {%- if load.kind == 'snapshot' -%}
                {%- set later.snapshot = load.id -%}
            {%- endif -%}
        {%- endfor %}
        {{ el_rows(['_dlt_load_id', '_el_next_snapshot'], rows | reverse | list) }}
        {%- endif %}
    )
{%- endmacro %}
