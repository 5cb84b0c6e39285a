"""el: SQL Server and file dumps into Snowflake raw schemas, and proof that they arrived."""

__version__ = "0.1.0"
