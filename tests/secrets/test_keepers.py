"""Each keeper of secrets: what it tells, what it refuses, and what is said where its library is not installed.

AWS is moto. Vault, Azure and Google are answers at the HTTP seam, as the vendors' pages give them; 1Password's `op` is
a program that answers as its page says; the operating system's keyring is one of the library's own, in memory.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import keyring
import pytest
import requests
import responses
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from moto import mock_aws

from el.errors import ConfigError, SecretUnavailable
from el.secrets.references import SCHEMES, forget, resolve
from tests.secrets.leaks import leaks

SECRET = "Zw3i/Geh&eim#7%ü"
FIELDS = json.dumps({"password": SECRET, "user": "el"})


@pytest.fixture(autouse=True)
def _nothing_is_remembered_or_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Some libraries log every answer to whoever has logging at its finest."""
    forget()
    with caplog.at_level(logging.DEBUG):
        for name in ("botocore", "urllib3", "azure", "google", "hvac", "keyring"):
            caplog.set_level(logging.DEBUG, name)
        yield
    said = "\n".join(record.getMessage() for record in caplog.get_records("call"))
    assert not leaks(said.encode(), {"it": SECRET})
    forget()


def refused(reference: str, says: str) -> SecretUnavailable:
    """The error of a reference that nobody has a value for: one line, exit code 3, and no value."""
    with pytest.raises(SecretUnavailable, match=says) as caught:
        resolve(reference)
    assert str(caught.value).startswith(f"{reference}: ")
    assert caught.value.exit_code == 3
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


# AWS Secrets Manager


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield Quietly(boto3.client("secretsmanager", region_name="eu-central-1"))


class Quietly:
    """A client of the tests' own, which has secrets to say: nothing of it is logged."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        def call(**given: Any) -> Any:
            logging.disable()
            try:
                return getattr(self.client, name)(**given)
            finally:
                logging.disable(logging.NOTSET)

        return call


def test_aws_gives_a_secret_by_name_by_arn_and_by_version(aws: Any) -> None:
    made = aws.create_secret(Name="shop/prod", SecretString=FIELDS)
    assert resolve("aws-sm:shop/prod?region=eu-central-1#password") == SECRET
    assert resolve(f"aws-sm:{made['ARN']}") == FIELDS
    aws.put_secret_value(SecretId="shop/prod", SecretString="newer")
    forget()
    assert resolve("aws-sm:shop/prod?region=eu-central-1") == "newer"
    assert resolve("aws-sm:shop/prod?region=eu-central-1&stage=AWSPREVIOUS") == FIELDS
    assert resolve(f"aws-sm:shop/prod?region=eu-central-1&version={made['VersionId']}#user") == "el"


def test_aws_says_why_there_is_none(aws: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refused("aws-sm:shop/none", "ResourceNotFoundException")
    aws.create_secret(Name="bytes", SecretBinary=b"\x00")
    refused("aws-sm:bytes?region=eu-central-1", "it is binary")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    refused("aws-sm:shop/prod", "no region or no credentials here")
    with pytest.raises(ConfigError, match=r"no option 'versoin'; there are: version, stage, region"):
        resolve("aws-sm:shop?versoin=1")


# HashiCorp Vault: "KV Secrets Engine - Version 2 (API)", Read secret version; "HTTP API", Error response


@pytest.fixture
def vault(web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> responses.RequestsMock:
    monkeypatch.setenv("VAULT_ADDR", "https://vault.example:8200")
    monkeypatch.setenv("VAULT_TOKEN", "hvs.testing")
    for name in ("VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_SKIP_VERIFY"):
        monkeypatch.delenv(name, raising=False)
    return web


def kv2(version: int, password: str) -> dict[str, Any]:
    metadata = {"created_time": "2024-03-22T02:24:06.9Z", "deletion_time": "", "destroyed": False, "version": version}
    return {"data": {"data": {"password": password}, "metadata": metadata}}


def test_vault_gives_a_field_of_a_secret_and_of_a_version(vault: responses.RequestsMock) -> None:
    place = "https://vault.example:8200/v1/kv/data/shop/prod"
    token = responses.matchers.header_matcher({"X-Vault-Token": "hvs.testing"})
    newest = responses.matchers.query_param_matcher({})
    vault.get(place, json=kv2(2, SECRET), match=[token, newest])
    vault.get(place, json=kv2(1, "older"), match=[token, responses.matchers.query_param_matcher({"version": "1"})])
    assert resolve("vault:kv/shop/prod#password") == SECRET
    assert resolve("vault:kv/shop/prod?version=1#password") == "older"
    refused("vault:kv/shop/prod#pasword", "no field 'pasword'")


def test_vault_gives_a_secret_of_its_first_engine(vault: responses.RequestsMock) -> None:
    vault.get("https://vault.example:8200/v1/old/shop", json={"data": {"password": SECRET}})
    assert resolve("vault:old/shop?kv=1#password") == SECRET


@pytest.mark.parametrize(
    ("status", "errors", "says", "again"),
    [
        (403, ["1 error occurred:\n\t* permission denied\n\n"], "Forbidden", False),
        (404, [], "InvalidPath", False),
        (503, ["Vault is sealed"], "VaultDown", True),
    ],
)
def test_vault_says_why_there_is_none(
    vault: responses.RequestsMock, status: int, errors: list[str], says: str, again: bool
) -> None:
    vault.get("https://vault.example:8200/v1/kv/data/shop", json={"errors": errors}, status=status)
    assert refused("vault:kv/shop#password", says).retryable is again


def test_vault_without_an_address_or_an_answer_is_said(
    vault: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refused("vault:kv/shop#password", "does not answer").retryable
    monkeypatch.delenv("VAULT_ADDR")
    refused("vault:kv/shop#password", "VAULT_ADDR, the address of Vault, is not set")


# Azure Key Vault: "Get Secret - Get Secret (Azure Key Vault)", "Authentication, requests and responses"


@pytest.fixture
def azure(web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> responses.RequestsMock:
    from azure.core.credentials import AccessToken

    class Signed:
        def get_token(self, *scopes: str, **more: Any) -> AccessToken:
            assert scopes == ("https://vault.azure.net/.default",)
            return AccessToken("token", 4102444800)

    monkeypatch.setattr("azure.identity.DefaultAzureCredential", Signed)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return web


def key_vault(web: responses.RequestsMock, name: str, status: int, body: dict[str, Any]) -> None:
    """It asks who is there first, and answers whoever comes with a token."""

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        if request.headers.get("Authorization") != "Bearer token":
            who = 'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"'
            return 401, {"WWW-Authenticate": who}, ""
        return status, {"Content-Type": "application/json"}, json.dumps(body)

    web.add_callback(
        responses.GET, re.compile(rf"https://shop\.vault\.azure\.net/secrets/{name}\?api-version="), answer
    )


def test_azure_gives_a_secret_and_a_version_of_it(azure: responses.RequestsMock) -> None:
    where = "https://shop.vault.azure.net/secrets/el-password"
    key_vault(azure, "el-password/", 200, {"value": FIELDS, "id": f"{where}/2", "attributes": {"enabled": True}})
    key_vault(azure, "el-password/1", 200, {"value": "older", "id": f"{where}/1", "attributes": {"enabled": True}})
    assert resolve("azure-kv:shop/el-password#password") == SECRET
    assert resolve("azure-kv:shop.vault.azure.net/el-password?version=1") == "older"


@pytest.mark.parametrize(
    ("status", "code", "again"), [(404, "SecretNotFound", False), (403, "Forbidden", False), (503, "Busy", True)]
)
def test_azure_says_why_there_is_none(azure: responses.RequestsMock, status: int, code: str, again: bool) -> None:
    key_vault(azure, "el-password/", status, {"error": {"code": code, "message": "..."}})
    assert refused("azure-kv:shop/el-password", code).retryable is again


def test_azure_without_an_identity_is_said(azure: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.identity import CredentialUnavailableError

    class Nobody:
        def get_token(self, *scopes: str, **more: Any) -> Any:
            raise CredentialUnavailableError("EnvironmentCredential: ...")

    monkeypatch.setattr("azure.identity.DefaultAzureCredential", Nobody)
    key_vault(azure, "el-password/", 200, {"value": SECRET})
    refused("azure-kv:shop/el-password", "nobody is signed in to Azure")


# Google Secret Manager: "Method: projects.secrets.versions.access" (REST)


@pytest.fixture
def google(web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> responses.RequestsMock:
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    monkeypatch.setattr(google.auth, "default", lambda **more: (AnonymousCredentials(), "p"))  # type: ignore[no-untyped-call]
    return web


def test_google_gives_the_newest_version_and_a_named_one(google: responses.RequestsMock) -> None:
    import base64

    place = "https://secretmanager.googleapis.com/v1/projects/p/secrets/shop/versions"
    for version, text in (("latest", FIELDS), ("3", "older")):
        data = base64.b64encode(text.encode()).decode()
        google.get(f"{place}/{version}:access", json={"name": f"...{version}", "payload": {"data": data}})
    assert resolve("gcp-sm:p/shop#password") == SECRET
    assert resolve("gcp-sm:p/shop?version=3") == "older"
    assert resolve("gcp-sm:projects/p/secrets/shop/versions/3") == "older"


@pytest.mark.parametrize(
    ("status", "code", "says", "again"),
    [
        (404, "NOT_FOUND", "NotFound", False),
        (403, "PERMISSION_DENIED", "Forbidden", False),
        (400, "FAILED_PRECONDITION", "BadRequest|FailedPrecondition", False),
    ],
)
def test_google_says_why_there_is_none(
    google: responses.RequestsMock, status: int, code: str, says: str, again: bool
) -> None:
    place = "https://secretmanager.googleapis.com/v1/projects/p/secrets/shop/versions/latest:access"
    google.get(place, json={"error": {"code": status, "message": "...", "status": code}}, status=status)
    assert refused("gcp-sm:p/shop", says).retryable is again


def test_google_without_an_answer_is_said(google: responses.RequestsMock) -> None:
    place = "https://secretmanager.googleapis.com/v1/projects/p/secrets/shop/versions/latest:access"
    google.get(place, body=requests.ConnectionError("no route"))
    assert refused("gcp-sm:p/shop", "Google Secret Manager does not answer").retryable


def test_google_without_an_identity_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    def nobody(**more: Any) -> Any:
        raise DefaultCredentialsError("Your default credentials were not found.")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(google.auth, "default", nobody)
    refused("gcp-sm:p/shop", "nobody is signed in to Google")


# 1Password: developer.1password.com, "op read"


@pytest.fixture
def op(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "op"
    program.write_text(
        f"#!{sys.executable}\nimport sys\n"
        "if sys.argv[1:] == ['read', '--no-newline', 'op://Shop/db 01/password']:\n"
        f"    sys.stdout.buffer.write({SECRET.encode()!r})\n"
        "else:\n"
        "    print('[ERROR] could not read secret', file=sys.stderr)\n    sys.exit(1)\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return program


def test_1password_gives_what_its_own_reference_names(op: Path) -> None:
    assert resolve("op://Shop/db 01/password") == SECRET
    refused("op://Shop/db02/password", r"`op` refused it \(exit code 1\)")


def test_1password_without_its_command_is_one_line_that_says_where_it_is_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"`op` is not installed: developer\.1password\.com") as caught:
        resolve("op://Shop/db01/password")
    assert caught.value.exit_code == 2


# The operating system's keyring


class InMemory(KeyringBackend):
    priority = 1  # type: ignore[assignment]

    def get_password(self, service: str, username: str) -> str | None:
        return SECRET if (service, username) == ("el/shop", "reader") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError


@pytest.fixture
def _own_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("_own_keyring")
def test_the_keyring_gives_the_password_of_a_service_and_a_user() -> None:
    keyring.set_keyring(InMemory())
    assert resolve("keyring:el/shop/reader") == SECRET
    refused("keyring:el/shop/writer", "no password of writer for el/shop")
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]
    refused("keyring:el/reader", "this machine has no keyring")


# What is not installed


@pytest.mark.parametrize(
    ("reference", "module", "extra"),
    [
        ("aws-sm:shop", "boto3", "aws"),
        ("azure-kv:shop/password", "azure.keyvault.secrets", "azure"),
        ("gcp-sm:p/shop", "google.cloud.secretmanager", "gcp"),
        ("vault:kv/shop#password", "hvac", "vault"),
        ("keyring:el/shop", "keyring", "keyring"),
    ],
)
def test_a_library_that_is_missing_is_one_line_with_the_command_that_installs_it(
    reference: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf'^{re.escape(reference)}: .*pip install "el-loader\[{extra}\]"$') as caught:
        resolve(reference)
    assert caught.value.exit_code == 2


def test_a_store_that_is_not_there_is_said_with_the_places_that_were_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EL_SECRETS", str(tmp_path / "secrets.yml"))
    with pytest.raises(ConfigError, match=r"there is no secrets\.yml: looked for .*secrets\.yml"):
        resolve("secret:shop.prod.password")


def test_every_keeper_has_its_tests() -> None:
    told = Path(__file__).read_text("utf-8")
    assert all(f'"{scheme}:' in told for scheme in SCHEMES)
