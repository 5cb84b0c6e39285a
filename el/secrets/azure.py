"""Azure Key Vault: `azure-kv:VAULT/NAME`, VAULT a name or a whole host; `?version=ID`."""

from __future__ import annotations

from typing import Any

from el.secrets.form import Name, library

_SECONDS = 10


def read(name: Name) -> str:
    """The secret's text, as the machine's own identity may read it (environment, managed identity, `az login`)."""
    name.only("version")
    vault, _, secret = name.path.partition("/")
    errors = library("azure.core.exceptions", name, "azure")
    try:
        with _client(f"https://{vault if '.' in vault else f'{vault}.vault.azure.net'}", name) as client:
            value = client.get_secret(secret, version=name.options.get("version")).value
    except errors.ClientAuthenticationError:
        raise name.gone("nobody is signed in to Azure here who may read it") from None
    except errors.HttpResponseError as error:
        code = getattr(error.error, "code", None) or error.status_code or "no answer"
        raise name.gone(f"Azure Key Vault refused it ({code})", retryable=error.status_code in (429, 503)) from None
    except errors.AzureError as error:
        raise name.gone(f"Azure Key Vault does not answer ({type(error).__name__})", retryable=True) from None
    if value is None:
        raise name.gone("it has no value")
    return str(value)


def _client(url: str, name: Name) -> Any:
    identity, secrets = library("azure.identity", name, "azure"), library("azure.keyvault.secrets", name, "azure")
    return secrets.SecretClient(
        url, identity.DefaultAzureCredential(), connection_timeout=_SECONDS, read_timeout=_SECONDS, retry_total=3
    )
