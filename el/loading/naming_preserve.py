"""dlt's naming convention for `naming: preserve`: as `el.loading.naming`, but case tells names apart."""

from __future__ import annotations

from el.loading.naming import NamingConvention as Unchanged


class NamingConvention(Unchanged):
    """Leaves every identifier as it is, and its case too."""

    @property
    def is_case_sensitive(self) -> bool:
        return True
