"""Google Secret Manager: `gcp-sm:PROJECT/NAME`, or `gcp-sm:projects/P/secrets/NAME/versions/3`; `?version=3`."""

from __future__ import annotations

from typing import Any

from el.secrets.form import Name, library

_SECONDS = 10


def read(name: Name) -> str:
    """The newest version's text, or a named one's, by the application default credentials."""
    name.only("version")
    errors, signing = library("google.api_core.exceptions", name, "gcp"), library("google.auth.exceptions", name, "gcp")
    requests = library("requests", name, "gcp")
    try:
        answer = _client(name).access_secret_version(name=_resource(name), timeout=_SECONDS)
        return str(answer.payload.data.decode("utf-8"))
    except (signing.TransportError, errors.RetryError, requests.RequestException) as error:
        raise name.gone(f"Google Secret Manager does not answer ({type(error).__name__})", retryable=True) from None
    except signing.GoogleAuthError as error:
        raise name.gone(f"nobody is signed in to Google here who may read it ({type(error).__name__})") from None
    except errors.GoogleAPICallError as error:
        kind = type(error).__name__
        again = kind in ("ServiceUnavailable", "DeadlineExceeded", "TooManyRequests", "GatewayTimeout")
        raise name.gone(f"Google Secret Manager refused it ({kind})", retryable=again) from None
    except UnicodeDecodeError:
        raise name.gone("it is binary, and a setting is text") from None


def _resource(name: Name) -> str:
    version = name.options.get("version", "latest")
    if name.path.startswith("projects/"):
        return name.path if "/versions/" in name.path else f"{name.path}/versions/{version}"
    project, _, secret = name.path.partition("/")
    return f"projects/{project}/secrets/{secret}/versions/{version}"


def _client(name: Name) -> Any:
    # Over HTTPS, as proxies know it, and not gRPC, whose threads no forked process survives.
    return library("google.cloud.secretmanager", name, "gcp").SecretManagerServiceClient(transport="rest")
