"""What connectors share that stand over an object of their own for a driver's connection."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from typing import ClassVar, Generic, Protocol, TypeVar

from el.connectors.base import ConnectionConfig
from el.connectors.signing_in import SigningIn
from el.connectors.sql.connector import SqlConnector
from el.connectors.sql.select import Statement
from el.errors import ReadError


class Session(Protocol):
    """An open connection of a driver. Its methods raise the driver's own errors."""

    @property
    def is_open(self) -> bool:
        """Whether it still works, as far as it knows."""
        ...

    def fetch(self, statement: Statement) -> list[tuple[object, ...]]:
        """All rows of a small query."""
        ...

    def execute(self, statement: Statement) -> int:
        """Run a statement without rows; how many it touched, or -1."""
        ...

    def close(self) -> None:
        """Be done with it."""
        ...


S = TypeVar("S", bound=Session)


class OverDriver(SigningIn, SqlConnector, Generic[S]):
    """A connector whose sessions are objects of type S. A subclass opens one, and says what its errors mean."""

    product: ClassVar[str]  # as its vendor writes it

    def __init__(self, config: ConnectionConfig) -> None:
        super().__init__(config)
        self._driver: S | None = None

    @abstractmethod
    def _open(self) -> S:
        """Sign in. Raises the driver's own errors."""

    def _is_useless(self, error: Exception) -> bool:
        """Whether this session will never write, though another one may, such as one to another server."""
        return False

    def _sign_in(self) -> None:
        self._driver = self._open()

    def close(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            # A connection that is broken cannot be closed either; what broke it was said already.
            with suppress(Exception):
                driver.close()

    @property
    def driver(self) -> S:
        """The open session; `ReadError` when there is none."""
        if self._driver is None:
            raise ReadError(f"the connection to {self.product} is closed; use the connector inside `with`")
        return self._driver

    @property
    def is_open(self) -> bool:
        return self._driver is not None and self._driver.is_open

    def fetch(self, statement: Statement) -> list[tuple[object, ...]]:
        try:
            return self.driver.fetch(statement)
        except Exception as error:
            raise self.translate(error) from None

    def execute(self, statement: Statement) -> int:
        try:
            return self.driver.execute(statement)
        except Exception as error:
            if self._is_useless(error):
                self.close()
            raise self.translate(error, writing=True) from None
