"""A job of dbt Cloud behind a run: started when something was loaded, waited for, and its result told.

By dbt Cloud's administrative API, version 2 ("Trigger Job Run", "Retrieve Run"). Guarantees: a job is started once for
a run; one that could not be started is started by the next run, also where that loads nothing; the token stands in no
message.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from el.errors import AuthenticationFailed, ConfigError, ConnectError, LoadError, NotPermitted, ServerUnreachable
from el.secrets.hidden import known
from el.secrets.references import is_reference, resolve

HOST = "cloud.getdbt.com"
SCHEME = "dbt-cloud"
TOKEN, ACCOUNT, ADDRESS = "DBT_CLOUD_API_TOKEN", "DBT_CLOUD_ACCOUNT_ID", "DBT_CLOUD_HOST"
# Of a run's `status`, what it ended with.
_ENDED = {10: "succeeded", 20: "failed", 30: "was cancelled"}
_SUCCESS = 10
# How long one answer may take, how often the run is asked for, and how long nobody may answer.
_ANSWER, _EVERY, _SILENT = 30.0, 10.0, 600.0


@dataclass(frozen=True, slots=True)
class Job:
    """One job. token: a reference to a secret, or the secret, which is not shown."""

    job_id: int
    account_id: int
    host: str
    token: str

    def __repr__(self) -> str:
        return f"dbt Cloud job {self.job_id}"

    @property
    def runs(self) -> str:
        return f"https://{self.host}/api/v2/accounts/{self.account_id}"


def job_of(text: str) -> Job:
    """text: "dbt-cloud:JOB_ID". The rest is in the environment. Raises `ConfigError` for what is missing."""
    scheme, _, number = text.partition(":")
    if scheme != SCHEME or not number.isdecimal():
        raise ConfigError(f"--then {text}: what can follow a run is {SCHEME}:JOB_ID")
    account, token = os.environ.get(ACCOUNT, ""), os.environ.get(TOKEN, "")
    if not token:
        raise ConfigError(f"--then {text}: {TOKEN} is not set: a service token, or a reference to it (aws-sm:...)")
    if not account.isdecimal():
        raise ConfigError(f"--then {text}: {ACCOUNT} is not set to the number of the account")
    host = os.environ.get(ADDRESS) or HOST
    return Job(int(number), int(account), host.removeprefix("https://").rstrip("/"), token)


class Follower:
    """Starts a job and waits for it.

    home: the folder for what is under way; a job that is still to be started is noted there. say: takes lines of text.
    """

    def __init__(self, job: Job, home: Path, say: Callable[[str], None]) -> None:
        self.job, self.say = job, say
        self._owed = home / f"then-{SCHEME}-{job.job_id}"
        self._session = requests.Session()

    def follow(self, run_id: str, loaded: bool) -> None:
        """After a run of el. loaded: whether it brought anything.

        Raises `LoadError` where the job did not succeed, a `ConnectError` where it could not be started or asked for.
        """
        if not loaded and not self._owed.exists():
            self.say(f"{self.job}: not started, nothing was loaded")
            return
        self._owed.parent.mkdir(parents=True, exist_ok=True)
        self._owed.write_text(run_id, encoding="utf-8")
        started = self._start(run_id)
        self._owed.unlink(missing_ok=True)
        self.say(f"{self.job}: run {started} started")
        self._wait(started)

    def _start(self, run_id: str) -> int:
        """The number of the run. It is sent once: of a request without an answer nobody knows whether it was heard."""
        try:
            found = self._asked("POST", f"jobs/{self.job.job_id}/run/", {"cause": f"el run {run_id}"})
        except ServerUnreachable as error:
            raise ServerUnreachable(f"{error}: whether it was started is not known; the next run starts it") from None
        return int(found["id"])

    def _wait(self, number: int) -> None:
        heard = time.monotonic()
        while True:
            try:
                run = self._asked("GET", f"runs/{number}/")
            except ServerUnreachable:
                if time.monotonic() - heard > _SILENT:
                    raise
            else:
                heard = time.monotonic()
                if run["status"] in _ENDED:
                    self._told(number, run)
                    return
            time.sleep(_EVERY)

    def _told(self, number: int, run: dict[str, Any]) -> None:
        where = str(run.get("href") or f"https://{self.job.host}")
        said = f"{self.job}: run {number} {_ENDED[run['status']]} ({where})"
        if run["status"] != _SUCCESS:
            why = str(run.get("status_message") or "").strip()
            raise LoadError(f"{said}: {why}" if why else said)
        self.say(said)

    def _asked(self, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        token = resolve(self.job.token) if is_reference(self.job.token) else known(self.job.token)
        headers = {"Authorization": f"Token {token}", "Accept": "application/json"}
        try:
            answer = self._session.request(
                method, f"{self.job.runs}/{path}", json=body, headers=headers, timeout=_ANSWER, allow_redirects=False
            )
        except requests.RequestException as error:
            raise ServerUnreachable(f"{self.job}: {self.job.host} does not answer ({type(error).__name__})") from None
        self._refuse(answer)
        try:
            found: dict[str, Any] = answer.json()["data"]
        except (ValueError, KeyError, TypeError):
            raise ConnectError(f"{self.job}: {self.job.host} answers, but not as dbt Cloud does") from None
        return found

    def _refuse(self, answer: requests.Response) -> None:
        code = answer.status_code
        if code == 401:
            raise AuthenticationFailed(f"{self.job}: the token in {TOKEN} is refused")
        if code == 403:
            raise NotPermitted(f"{self.job}: the token may not do this: it needs the permission Job Admin")
        if code == 404:
            raise ConfigError(f"{self.job}: there is none in account {self.job.account_id} at {self.job.host}")
        if code == 429 or code >= 500:
            raise ServerUnreachable(f"{self.job}: {self.job.host} answers {code}")
        if code >= 300:
            raise ConnectError(f"{self.job}: {self.job.host} answers {code}: is {ADDRESS} that of the account?")
