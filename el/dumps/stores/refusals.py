"""What an object store refuses, as an `ElError` of one line: the library's own text is a page of its inner state."""

from __future__ import annotations

import re
from collections.abc import Iterable

from el.errors import (
    AuthenticationFailed,
    CertificateUntrusted,
    ConfigError,
    ConnectError,
    DatabaseMissing,
    ElError,
    FileChanged,
    FileRefused,
    NotPermitted,
    PlanError,
    ServerUnreachable,
)

# Codes of S3, of Azure and of Google that say who signed in is unknown, not what he may do.
_WHO = {
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed", "ExpiredToken", "InvalidToken"),
    *("InvalidClientTokenId", "RequestTimeTooSkewed", "AccessDeniedForUnknownKey"),
    *("AuthenticationFailed", "AuthorizationFailure", "InvalidAuthenticationInfo", "NoAuthenticationInformation"),
    *("AuthenticationRequired", "InvalidSecurity"),
}
# The file is there, but not at hand.
_AWAY = {"InvalidObjectState", "BlobArchived"}
_NO_BUCKET = re.compile(r"NoSuchBucket|ContainerNotFound|no bucket named|bucket does not exist")
_ELSEWHERE = re.compile(r"PermanentRedirect|the region '[^']*' is wrong|redirect without LOCATION")
_NOBODY = re.compile(r"tcp connect error|timed out|error sending request|body error|connection closed")


def refusal(place: str, error: Exception, secrets: Iterable[str] = ()) -> ElError:
    """place: the file or the bucket, without credentials."""
    text = str(error)
    status = int(found[1]) if (found := re.search(r"status code: (\d{3})", text)) else 0
    code = found[1] if (found := re.search(r"<Code>([^<]*)</Code>", text)) else ""
    said = _said(text, status, code, secrets)
    if type(error).__name__ == "PreconditionError" or status == 412:
        return FileChanged(f"{place}: was changed since it was listed")
    if _NO_BUCKET.search(text):
        return DatabaseMissing(f"{place}: there is no such bucket or container: correct the url")
    if isinstance(error, FileNotFoundError) or status == 404:
        return FileChanged(f"{place}: is gone since it was listed")
    if type(error).__name__ == "InvalidPathError":
        path = found[1] if (found := re.search(r'[Pp]ath "(.*?)"[ :]', text)) else "a file"
        return PlanError(
            f"{place}: {path!r} is a name that cannot be read (a part of it is empty, . or ..): rename it, or put the "
            "files that are meant into a folder of their own"
        )
    if _ELSEWHERE.search(text):
        return ConfigError(f"{place}: the bucket is in another region: set `region` in the profile")
    if status == 401 or code in _WHO:
        return AuthenticationFailed(f"{place}: the login was refused ({said}): check the keys in the profile")
    if code in _AWAY:
        return FileRefused(f"{place}: is in a tier from which it has to be restored before it can be read ({said})")
    if status == 403:
        return NotPermitted(f"{place}: not permitted ({said}): this login needs the rights to list and to read here")
    return _unreached(place, text, status, said)


def _unreached(place: str, text: str, status: int, said: str) -> ElError:
    if "certificate" in text.lower():
        return CertificateUntrusted(
            f"{place}: the server's certificate is not trusted: set `ca_file` if it is the right server"
        )
    if "dns error" in text:
        return ServerUnreachable(f"{place}: no such host: check `endpoint`, `account` and the network", retryable=True)
    if status >= 500 or status == 429 or _NOBODY.search(text):
        return ServerUnreachable(f"{place}: the server does not answer, or not to the end ({said})")
    return ConnectError(f"{place}: {said}")


def _said(text: str, status: int, code: str, secrets: Iterable[str]) -> str:
    """The server's own words if it has answered; else the library's first line."""
    if status:
        message = found[1] if (found := re.search(r"<Message>([^<]*)", text)) else ""
        said = " ".join([str(status), code if code != str(status) else "", message.split("RequestId:")[0]])
    else:
        inner = re.findall(r'(?:error|message): "([^"]+)"', text)
        said = inner[-1] if inner else text.partition("\n")[0]
    for secret in secrets:
        said = said.replace(secret, "***")
    return " ".join(said.split())[:300]
