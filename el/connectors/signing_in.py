"""Connecting through a driver, whose errors may hold what it signs in with."""

from __future__ import annotations

from abc import abstractmethod

from el.connectors.base import Connector
from el.errors import ElError


class SigningIn(Connector):
    """A connector that opens a driver's session. A subclass opens it, and says what its errors mean."""

    @abstractmethod
    def _sign_in(self) -> None:
        """Open the session, and reach the server. Raises the driver's own errors; `close` takes away what is left."""

    @abstractmethod
    def _why_refused(self, error: Exception) -> ElError:
        """What an error of `_sign_in` means."""

    def connect(self) -> None:
        refused: ElError | None = None
        try:
            self._sign_in()
        except Exception as error:
            refused = self._why_refused(error)
        if refused is not None:
            self.close()
            # Raised out here, the driver's error and its frames, which hold the password, do not hang on it.
            raise refused
