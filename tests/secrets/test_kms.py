"""Keys of a cloud's KMS as recipients: who opens the store with them, and what a refusal and a fault say.

AWS is moto. Google and Azure are answers at the HTTP seam, as the vendors' pages give them: "Method:
projects.locations.keyRings.cryptoKeys.encrypt" and ".decrypt"; "Get Key", "Wrap Key", "Unwrap Key" of Microsoft Learn.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import pyrage
import pytest
import requests
import responses
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from moto import mock_aws
from moto.kms.exceptions import AccessDeniedException
from moto.kms.models import KmsBackend

from el.errors import ConfigError, SecretUnavailable
from el.secrets import kms
from el.secrets.document import create_document
from el.secrets.keeping import Keeper
from el.secrets.recipients import unwrap, wrap
from el.secrets.sealing import new_key
from el.secrets.store import read_secret
from tests.secrets.leaks import leaks

OWN = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
KEY = new_key()
CODED = base64.b64encode(KEY).decode()
GOOGLE = "gcp-kms:projects/p/locations/europe/keyRings/el/cryptoKeys/store"
AZURE = "azure-kv-key:shop/el-store"


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    for name in ("", "botocore", "urllib3", "azure", "google"):
        caplog.set_level(logging.DEBUG, name)
    yield
    said = "\n".join(record.getMessage() for record in caplog.get_records("call"))
    assert CODED not in said
    assert not leaks(said.encode(), {"it": KEY.decode("latin-1")})


def refused(recipient: str, says: str, text: str | None = None, connection: str = "shop.prod") -> SecretUnavailable:
    with pytest.raises(SecretUnavailable, match=says) as caught:
        kms.unwrap(text or "", recipient, connection) if text is not None else wrap(KEY, recipient, connection)
    assert str(caught.value).startswith(f"{recipient}: ")
    assert caught.value.exit_code == 3
    return caught.value


# AWS KMS


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in (
        ("ACCESS_KEY_ID", "testing"),
        ("SECRET_ACCESS_KEY", "testing"),
        ("DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield boto3.client("kms", region_name="eu-central-1")


@pytest.fixture
def aws_key(aws: Any) -> str:
    return f"aws-kms:{aws.create_key()['KeyMetadata']['Arn']}"


def test_aws_opens_it_for_the_same_connection_alone(aws: Any, aws_key: str) -> None:
    text = wrap(KEY, aws_key, "shop.prod")
    assert CODED not in text
    assert unwrap({aws_key: text}, None, "shop.prod") == KEY
    assert not refused(aws_key, r"AWS KMS cannot do it \(InvalidCiphertextException\)", text, "shop.other").retryable


def test_aws_takes_an_alias_and_refuses_what_another_key_wrapped(aws: Any, aws_key: str) -> None:
    aws.create_alias(AliasName="alias/el", TargetKeyId=aws_key.rpartition("/")[2])
    alias = f"{aws_key.rpartition(':')[0]}:alias/el"
    text = wrap(KEY, alias, "shop.prod")
    assert unwrap({alias: text}, None, "shop.prod") == KEY
    assert unwrap({aws_key: text}, None, "shop.prod") == KEY
    other = f"aws-kms:{aws.create_key()['KeyMetadata']['Arn']}"
    assert unwrap({other: text}, None, "shop.prod") is None


def test_who_may_not_use_aws_key_is_no_recipient(aws: Any, aws_key: str) -> None:
    text = wrap(KEY, aws_key, "shop.prod")
    why: list[str] = []
    with set_no_rights():
        assert unwrap({aws_key: text}, None, "shop.prod", why) is None
        refused(aws_key, "AWS KMS refused it")
    assert re.fullmatch(rf"{re.escape(aws_key)}: AWS KMS refused it \(AccessDeniedException\)", why[0])


@contextmanager
def set_no_rights() -> Iterator[None]:
    """Within it the key's policy allows nothing: "Encrypt" and "Decrypt" of the API Reference, Errors."""
    no = AccessDeniedException("User: arn:aws:iam::123456789012:user/el is not authorized to perform this")
    with patch.object(KmsBackend, "encrypt", side_effect=no), patch.object(KmsBackend, "decrypt", side_effect=no):
        yield


def test_aws_without_credentials_is_no_recipient_and_without_an_answer_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arn = "aws-kms:arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "PROFILE", "SESSION_TOKEN"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(f"AWS_{name}", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert unwrap({arn: "AAAA"}, None, "shop.prod") is None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(SecretUnavailable, match=r"AWS KMS does not answer \(EndpointConnectionError\)") as caught:
        unwrap({arn: "AAAA"}, None, "shop.prod")
    assert caught.value.retryable
    assert str(caught.value).startswith(arn)


# Google Cloud KMS


@pytest.fixture
def google(web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> responses.RequestsMock:
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    monkeypatch.setattr(google.auth, "default", lambda **more: (AnonymousCredentials(), "p"))  # type: ignore[no-untyped-call]
    return web


def google_kms(web: responses.RequestsMock) -> None:
    """It keeps what it encrypts, under what it gives for it, and asks for the same additional data."""
    place = f"https://cloudkms.googleapis.com/v1/{GOOGLE.partition(':')[2]}"
    kept: dict[str, tuple[str, str]] = {}

    def encrypt(request: Any) -> tuple[int, dict[str, str], str]:
        asked = json.loads(request.body)
        text = base64.b64encode(f"ciphertext {len(kept)}".encode()).decode()
        kept[text] = asked["plaintext"], asked["additionalAuthenticatedData"]
        return 200, {}, json.dumps({"name": f"{place}/cryptoKeyVersions/1", "ciphertext": text})

    def decrypt(request: Any) -> tuple[int, dict[str, str], str]:
        asked = json.loads(request.body)
        plain, data = kept.get(asked["ciphertext"], ("", ""))
        if not plain or data != asked["additionalAuthenticatedData"]:
            message = "Decryption failed: verify that 'name' refers to the correct CryptoKey."
            return 400, {}, json.dumps({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}})
        return 200, {}, json.dumps({"plaintext": plain})

    web.add_callback(responses.POST, f"{place}:encrypt", encrypt)
    web.add_callback(responses.POST, f"{place}:decrypt", decrypt)


def test_google_opens_it_for_the_same_connection_alone(google: responses.RequestsMock) -> None:
    google_kms(google)
    text = wrap(KEY, GOOGLE, "shop.prod")
    assert unwrap({GOOGLE: text}, None, "shop.prod") == KEY
    refused(GOOGLE, r"Google Cloud KMS cannot do it \((BadRequest|InvalidArgument)\)", text, "shop.other")
    refused(GOOGLE, "what is wrapped for it was changed", text[:-1])


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (403, "PERMISSION_DENIED", "Google Cloud KMS refused it"),
        (401, "UNAUTHENTICATED", "nobody is signed in|refused it"),
        (404, "NOT_FOUND", r"cannot do it \(NotFound\)"),
        (400, "FAILED_PRECONDITION", "cannot do it"),
    ],
)
def test_google_says_why_it_does_not(google: responses.RequestsMock, status: int, code: str, says: str) -> None:
    place = f"https://cloudkms.googleapis.com/v1/{GOOGLE.partition(':')[2]}:decrypt"
    google.post(place, json={"error": {"code": status, "message": "...", "status": code}}, status=status)
    error = refused(GOOGLE, says, "AAAA")
    assert isinstance(error, kms.Refused) == (status in (401, 403))
    assert not error.retryable


def test_google_without_an_answer_is_an_error_and_without_an_identity_is_no_recipient(
    google: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.auth.exceptions import DefaultCredentialsError

    place = f"https://cloudkms.googleapis.com/v1/{GOOGLE.partition(':')[2]}:decrypt"
    google.post(place, body=requests.ConnectionError("no route"))
    with pytest.raises(SecretUnavailable, match=f"^{GOOGLE}: Google Cloud KMS does not answer") as caught:
        unwrap({GOOGLE: "AAAA"}, None, "shop.prod")
    assert caught.value.retryable

    def nobody(**more: Any) -> Any:
        raise DefaultCredentialsError("Your default credentials were not found.")  # type: ignore[no-untyped-call]

    monkeypatch.setattr("google.auth.default", nobody)
    assert unwrap({GOOGLE: "AAAA"}, None, "shop.prod") is None


# Azure Key Vault


class Vault:
    """A vault with one key, which may be renewed. Whoever comes without a token is asked who they are."""

    place = "https://shop.vault.azure.net/keys/el-store"

    def __init__(self, web: responses.RequestsMock) -> None:
        self.versions: dict[str, rsa.RSAPrivateKey] = {}
        self.unwrapping = 200
        self.kind = "RSA"
        self.renew()
        web.add_callback(responses.GET, re.compile(rf"{re.escape(self.place)}/(\w*)\?api-version="), self.get)
        web.add_callback(responses.POST, re.compile(rf"{re.escape(self.place)}/(\w+)/unwrapkey"), self.open)

    def renew(self) -> None:
        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.versions[f"{len(self.versions) + 1:032x}"] = made

    def get(self, request: Any) -> tuple[int, dict[str, str], str]:
        if request.headers.get("Authorization") != "Bearer token":
            who = 'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"'
            return 401, {"WWW-Authenticate": who}, ""
        version = request.url.partition("?")[0].rpartition("/")[2] or list(self.versions)[-1]
        public = self.versions[version].public_key().public_numbers()
        n, e = (
            base64.urlsafe_b64encode(v.to_bytes(256 if v > 1 << 32 else 3, "big")).decode().rstrip("=")
            for v in (public.n, public.e)
        )
        key = {"kid": f"{self.place}/{version}", "kty": self.kind, "key_ops": ["wrapKey", "unwrapKey"], "n": n, "e": e}
        if self.kind == "EC":
            key |= {"crv": "P-256", "x": "AAAA", "y": "AAAA"}
        return self.json(200, {"key": key, "attributes": {"enabled": True}})

    def open(self, request: Any) -> tuple[int, dict[str, str], str]:
        if request.headers.get("Authorization") != "Bearer token":
            return self.get(request)
        if self.unwrapping != 200:
            code = {403: "Forbidden", 503: "ServiceUnavailable"}.get(self.unwrapping, "BadParameter")
            return self.json(self.unwrapping, {"error": {"code": code, "message": "..."}})
        asked = json.loads(request.body)
        assert asked["alg"] == "RSA-OAEP-256"
        version = request.url.partition("?")[0].split("/")[-2]
        oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
        try:
            plain = self.versions[version].decrypt(base64.urlsafe_b64decode(asked["value"] + "=="), oaep)
        except ValueError:
            return self.json(400, {"error": {"code": "BadParameter", "message": "..."}})
        value = base64.urlsafe_b64encode(plain).decode().rstrip("=")
        return self.json(200, {"kid": f"{self.place}/{version}", "value": value})

    @staticmethod
    def json(status: int, body: dict[str, Any]) -> tuple[int, dict[str, str], str]:
        return status, {"Content-Type": "application/json"}, json.dumps(body)


@pytest.fixture
def vault(web: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch) -> Vault:
    from azure.core.credentials import AccessToken

    class Signed:
        def get_token(self, *scopes: str, **more: Any) -> AccessToken:
            assert scopes == ("https://vault.azure.net/.default",)
            return AccessToken("token", 4102444800)

    monkeypatch.setattr("azure.identity.DefaultAzureCredential", Signed)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return Vault(web)


def test_azure_opens_it_after_the_key_was_renewed_too(vault: Vault) -> None:
    text = wrap(KEY, AZURE, "shop.prod")
    assert unwrap({AZURE: text}, None, "shop.prod") == KEY
    vault.renew()
    assert unwrap({AZURE: text}, None, "shop.prod") == KEY
    newer = wrap(KEY, AZURE, "shop.prod")
    assert newer.partition(":")[0] != text.partition(":")[0]
    assert unwrap({AZURE: newer}, None, "shop.prod") == KEY
    refused(
        AZURE, r"Azure Key Vault cannot do it \(BadParameter\)", f"{list(vault.versions)[-1]}:{text.partition(':')[2]}"
    )
    for changed in ("", "1", "1:!", "../x:AAAA"):
        refused(AZURE, "what is wrapped for it was changed", changed)


@pytest.mark.parametrize(("status", "again"), [(403, False), (400, False), (503, True)])
def test_azure_says_why_it_does_not(vault: Vault, status: int, again: bool) -> None:
    text = wrap(KEY, AZURE, "shop.prod")
    vault.unwrapping = status
    error = refused(AZURE, "Azure Key Vault (refused|cannot do) it", text)
    assert (isinstance(error, kms.Refused), error.retryable) == (status == 403, again)


def test_azure_wraps_with_an_rsa_key_alone(vault: Vault) -> None:
    vault.kind = "EC"
    with pytest.raises(ConfigError, match=f"^{AZURE}: it is no RSA key"):
        wrap(KEY, AZURE, "shop.prod")


def test_azure_without_an_identity_is_no_recipient(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.identity import CredentialUnavailableError

    text = wrap(KEY, AZURE, "shop.prod")

    class Nobody:
        def get_token(self, *scopes: str, **more: Any) -> Any:
            raise CredentialUnavailableError("EnvironmentCredential: ...")

    monkeypatch.setattr("azure.identity.DefaultAzureCredential", Nobody)
    assert unwrap({AZURE: text}, None, "shop.prod") is None


# Recipients of both kinds


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "project" / "secrets.yml"
    path.parent.mkdir()
    monkeypatch.setenv("EL_SECRETS", str(path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("EL_IDENTITY", raising=False)
    create_document(path)
    return path


def test_where_a_kms_opens_the_store_nobody_needs_an_identity(
    store: Path, aws: Any, aws_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Keeper(store, str(OWN), lambda connection, recipients: True)
    keeper.put("shop.prod.password", "Tür€ 1")
    with pytest.raises(SecretUnavailable, match=r"there is no identity here .* is no recipient of shop\.prod"):
        read_secret("shop.prod.password")
    keeper.grant("engineer", aws_key, ["shop.prod"])
    assert read_secret("shop.prod.password") == "Tür€ 1"
    keeper.rotate(["shop.prod"])
    assert read_secret("shop.prod.password") == "Tür€ 1"
    with set_no_rights(), pytest.raises(SecretUnavailable, match=r"no recipient of shop\.prod.*AWS KMS refused it"):
        read_secret("shop.prod.password")
    monkeypatch.setenv("EL_IDENTITY", str(OWN))
    with set_no_rights():
        assert read_secret("shop.prod.password") == "Tür€ 1"
    keeper.revoke(aws_key, ["shop.prod"])
    monkeypatch.setenv("EL_IDENTITY", str(OTHER))
    with pytest.raises(SecretUnavailable, match=r"^this identity is no recipient of shop\.prod"):
        read_secret("shop.prod.password")


def test_an_identity_that_opens_it_asks_no_kms(aws_key: str) -> None:
    own = str(OWN.to_public())
    found = {"gcp-kms:x": "AAAA", aws_key: "AAAA", own: wrap(KEY, own, "shop.prod")}
    assert unwrap(found, str(OWN), "shop.prod") == KEY
    assert unwrap({own: found[own][:-8]}, str(OWN), "shop.prod") is None


def test_a_kms_that_does_not_answer_leaves_the_next_one_its_turn(google: responses.RequestsMock, aws_key: str) -> None:
    found = {GOOGLE: "AAAA", aws_key: wrap(KEY, aws_key, "shop.prod")}
    google.add_passthru("https://kms.eu-central-1.amazonaws.com")
    assert unwrap(found, None, "shop.prod") == KEY
    with pytest.raises(SecretUnavailable, match=f"^{GOOGLE}: .* does not answer"):
        unwrap({GOOGLE: "AAAA", "aws-kms:none": "AAAA"}, None, "shop.prod")


@pytest.mark.parametrize(
    "recipient",
    ["aws-kms:alias/el", "gcp-kms:p/k", "azure-kv-key:shop", "azure-kv-key:evil.example/k", "aws-kms:"],
)
def test_a_key_that_is_not_written_as_its_kms_has_it_is_refused_with_its_form(recipient: str) -> None:
    form = kms.SCHEMES[recipient.partition(":")[0]][1]
    with pytest.raises(ConfigError, match=f"^{re.escape(recipient)}: a key of this KMS is written {form}"):
        wrap(KEY, recipient, "shop.prod")


@pytest.mark.parametrize(
    ("recipient", "module", "extra", "text"),
    [
        ("aws-kms:arn:aws:kms:eu-central-1:123456789012:alias/el", "boto3", "aws", "AAAA"),
        (GOOGLE, "google.cloud.kms", "gcp", "AAAA"),
        (AZURE, "azure.keyvault.keys.crypto", "azure", "1:AAAA"),
    ],
)
def test_a_library_that_is_missing_is_one_line(
    recipient: str, module: str, extra: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf'^{re.escape(recipient)}: .*pip install "el-loader\[{extra}\]"$'):
        wrap(KEY, recipient, "shop.prod")
    why: list[str] = []
    assert unwrap({recipient: text}, None, "shop.prod", why) is None
    assert "pip install" in why[0]


def test_every_kms_has_its_tests() -> None:
    told = Path(__file__).read_text("utf-8")
    assert all(f'"{scheme}:' in told for scheme in kms.SCHEMES)
