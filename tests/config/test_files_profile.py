"""An output of profiles.yml with `type: files`: what it may say, and that nothing of it is told to others."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from el.config.files_profile import FilesConfig
from el.config.profiles import load_output
from el.config.settings import load_config
from el.dumps.stores.registry import files_config, open_store
from el.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, "url: Field required"),
        ({"url": "ftp://h/d"}, "ftp:// is not known"),
        ({"url": "sftp://me:secret@h/d"}, "stand in settings of a profile of their own, not in `url`"),
        ({"url": "az://c/d?sv=2024&sig=secret@"}, "stand in settings of a profile of their own, not in `url`"),
        ({"url": "s3://b", "endpoint": "https://me:secret@h"}, "of their own, not in `endpoint`"),
        ({"url": "s3://b", "access_key_id": "k"}, "`access_key_id` and `secret_access_key` go together"),
        ({"url": "az://c", "client_secret": "s"}, "`tenant_id`, `client_id` and `client_secret` go together"),
        ({"url": "s3://b", "endpoint": "host:9000"}, "`endpoint` begins with https"),
        ({"url": "s3://b", "acces_key_id": "k"}, "acces_key_id: Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(settings: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why) as refused:
        files_config({"type": "files", **settings}, "profiles.yml")
    assert "secret@" not in str(refused.value)


def test_no_secret_is_shown() -> None:
    config = FilesConfig(url="s3://b", access_key_id="k", secret_access_key="hidden-one")
    assert "hidden-one" not in repr(config) + str(config) + repr(open_store("s3://b/a", {"url": "s3://b"}))
    assert pickle.loads(pickle.dumps(config)) == config


def test_a_variable_that_is_empty_is_a_setting_that_is_not_there() -> None:
    assert FilesConfig.model_validate({"url": "s3://b", "session_token": "", "region": ""}).session_token is None


def test_a_value_that_programs_read_in_two_ways_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "profiles.yml"
    output = "{type: files, url: 's3://b', access_key_id: 0123, secret_access_key: x}"
    path.write_text(f"dumps:\n  target: dev\n  outputs:\n    dev: {output}\n")
    with pytest.raises(ConfigError, match="access_key_id: without quotes"):
        load_output(path, "dumps", None)


@pytest.mark.parametrize(
    "uri", ["sftp://me:secret@h/*.csv", "az://c/a.csv?se=2&sig=secret", "s3://b/a?X-Amz-Signature=secret"]
)
def test_a_login_in_the_address_of_a_dump_is_refused_and_not_shown(tmp_path: Path, uri: str) -> None:
    path = tmp_path / "el.yml"
    path.write_text(f"version: 1\nsource: s\ndestination: w\ndumps:\n  - {{name: a.b, files: '{uri}', format: csv}}\n")
    with pytest.raises(ConfigError, match=r"line 5: .*not in `files`") as refused:
        load_config(path)
    assert "secret" not in str(refused.value)


def test_a_uri_that_no_store_has_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"ftp://.*there are: file://, s3://"):
        open_store("ftp://h/a.csv")
