"""What is to be said of how the profiles of a job sign in; `plan` and `check` say the same."""

from __future__ import annotations

from collections.abc import Iterable

from el.config.files_profile import FILES
from el.config.profiles import Output
from el.connectors.registry import open_connector


def sign_in_notes(outputs: Iterable[Output]) -> list[str]:
    """A line for each that signs in by a way that ends. Nothing is connected, and no secret is looked up."""
    databases = {str(output): output for output in outputs if output.type != FILES}
    return [
        f"{name}: {said}"
        for name, output in databases.items()
        if (said := open_connector(output.settings, name).config.sign_in_note()) is not None
    ]
