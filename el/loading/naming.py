"""dlt's naming convention for el: names arrive normalised and free of collisions, and stay as they are.

dlt's own `snake_case` folds `OrderId`, `Order ID` and `order_id` into one name without a word. Names are compared
without case, so that Snowflake folds them to its own upper case and nobody has to quote them.
"""

from __future__ import annotations

from dlt.common.normalizers.naming.naming import NamingConvention as BaseNamingConvention


class NamingConvention(BaseNamingConvention):
    """Leaves every identifier as it is."""

    def normalize_identifier(self, identifier: str) -> str:
        return super().normalize_identifier(identifier)

    def break_path(self, path: str) -> list[str]:
        return [path]

    @property
    def is_case_sensitive(self) -> bool:
        return False
