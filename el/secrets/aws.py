"""AWS Secrets Manager: `aws-sm:NAME` or its ARN; `?version=ID`, `?stage=AWSPREVIOUS`, `?region=eu-central-1`."""

from __future__ import annotations

from el.secrets.form import Name, library
from el.secrets.unheard import unheard

_SECONDS = 10
_UNKNOWN = ("NoCredentialsError", "PartialCredentialsError", "NoRegionError", "ProfileNotFound", "TokenRetrievalError")


def read(name: Name) -> str:
    """The secret's text, as the machine's own identity may read it (environment, ~/.aws, the machine's role)."""
    name.only("version", "stage", "region")
    boto3, config = library("boto3", name, "aws"), library("botocore.config", name, "aws")
    errors = library("botocore.exceptions", name, "aws")
    arn = name.path.split(":")
    region = name.options.get("region") or (arn[3] if len(arn) > 3 else None)
    asked = {"VersionId": name.options.get("version"), "VersionStage": name.options.get("stage")}
    limits = config.Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"max_attempts": 3})
    try:
        client = boto3.client("secretsmanager", region_name=region, config=limits)
        with unheard("botocore.parsers"):
            found = client.get_secret_value(SecretId=name.path, **{key: value for key, value in asked.items() if value})
    except errors.ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise name.gone(f"AWS Secrets Manager refused it ({code})", retryable=code.startswith("Throttl")) from None
    except errors.BotoCoreError as error:
        kind = type(error).__name__
        why = "no region or no credentials here" if kind in _UNKNOWN else "AWS Secrets Manager does not answer"
        raise name.gone(f"{why} ({kind})", retryable=kind not in _UNKNOWN) from None
    text = found.get("SecretString")
    if text is None:
        raise name.gone("it is binary, and a setting is text")
    return str(text)
