"""HashiCorp Vault: `vault:MOUNT/PATH#field`, of its second KV engine; `?version=3`, `?kv=1` for the first engine.

VAULT_ADDR and VAULT_TOKEN (or ~/.vault-token, which `vault login` writes) say where it is and who asks, and
VAULT_NAMESPACE, VAULT_CACERT, VAULT_SKIP_VERIFY as of Vault's own command.
"""

from __future__ import annotations

import json
import os

from el.secrets.form import Name, library

_SECONDS = 10


def read(name: Name) -> str:
    """The secret's fields, as JSON."""
    name.only("version", "kv")
    hvac, requests = library("hvac", name, "vault"), library("requests", name, "vault")
    if not os.environ.get("VAULT_ADDR"):
        raise name.gone("VAULT_ADDR, the address of Vault, is not set")
    mount, _, path = name.path.partition("/")
    checked = os.environ.get("VAULT_SKIP_VERIFY", "").lower() not in ("1", "t", "true")
    verify = os.environ.get("VAULT_CACERT", True) if checked else False
    try:
        # Token and namespace are the library's to find, the address too.
        engines = hvac.Client(verify=verify, timeout=_SECONDS, namespace=os.environ.get("VAULT_NAMESPACE")).secrets.kv
        if name.options.get("kv") == "1":
            return json.dumps(engines.v1.read_secret(path, mount_point=mount)["data"])
        version = int(name.options["version"]) if "version" in name.options else None
        found = engines.v2.read_secret_version(path, version, mount_point=mount, raise_on_deleted_version=True)
        return json.dumps(found["data"]["data"])
    except hvac.exceptions.VaultError as error:
        kind = type(error).__name__
        again = kind in ("VaultDown", "InternalServerError", "BadGateway", "RateLimitExceeded")
        raise name.gone(f"Vault refused it ({kind})", retryable=again) from None
    except requests.RequestException as error:
        raise name.gone(f"Vault does not answer ({type(error).__name__})", retryable=True) from None
    except ValueError:
        raise name.gone("`version` is a whole number") from None
