"""Trying again: what may succeed later is tried again after a growing wait, within a bound that el.yml sets and shows.

Only an `ElError` that says so of itself (`retryable`) is tried again; everything else fails at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tenacity

from el.errors import ElError


def retrying(
    retries: int, *, initial: float = 0.5, sleep: Callable[[float], Any] = tenacity.nap.sleep
) -> tenacity.Retrying:
    """At most `retries` further attempts; waits double from `initial` seconds to 30, with jitter.

    The error of the last attempt says how many there were.
    """

    def count(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if error is not None and 1 < state.attempt_number == retries + 1:
            error.args = (f"{error} (tried {state.attempt_number} times)",)

    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(retries + 1),
        wait=tenacity.wait_exponential_jitter(initial=initial, max=30),
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, ElError) and error.retryable),
        sleep=sleep,
        after=count,
        reraise=True,
    )
