"""A SQL Server for tests: TDS 7.4 on loopback over DuckDB, T-SQL translated with sqlglot.

Not a SQL Server. It answers what `el`, its drivers, SQLAlchemy and dbt-sqlserver ask, with SQL Server's types, error
numbers and catalog, so that wiring is tested on any machine; whether a statement is right T-SQL is what a real server
tells. A statement that it does not know fails at once with its text.

    protocol  server -> connection -> packets, rpc, bulk, tokens, wire, wire_read, wire_write, faults
    engine    session -> statements, binder, convert, functions, catalog, views -> DuckDB

Section numbers are those of [MS-TDS], "Tabular Data Stream Protocol".
"""
