"""The dbt project out of the source's own catalog: sources, staging views, schema tables, tests; and how it is kept."""

from .command import Generated, codegen, codegen_package, generate

__all__ = ["Generated", "codegen", "codegen_package", "generate"]
