"""Where slices are read, as el.yml and the command line say it: one reading of each text, or one line."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from el.cli.app import main
from el.config.defaults import Defaults
from el.config.executor import Where
from el.config.settings import load_config
from el.errors import ConfigError
from tests.shop import Workspace

HOSTS = st.text(string.ascii_lowercase + string.digits + ".-", min_size=1, max_size=20)
WHERES = st.one_of(
    st.just(Where()),
    st.integers(1, 64).map(lambda n: Where(processes=n)),
    st.tuples(HOSTS, st.integers(1, 65535)).map(lambda found: Where(dask=f"{found[0]}:{found[1]}")),
)


@given(WHERES)
def test_what_it_says_of_itself_is_how_it_is_written(where: Where) -> None:
    assert Where.parse(str(where)) == where


def test_threads_of_this_process_are_the_default() -> None:
    assert Defaults().executor.here


@pytest.mark.parametrize(
    "text",
    [
        *("", "thread", "Threads", "processes", "processes:", "processes:0", "processes:-1", "processes:065"),
        *("processes:65", "processes:2 ", "dask:", "dask://", "dask://host", "dask://host:0", "dask://host:65536"),
        *("dask://:8786", "dask://user@host/x:1", "tcp://host:8786"),
    ],
)
def test_what_has_no_meaning_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"there are: threads, processes:N|such as (processes:4|dask://scheduler:8786)"
    ):
        Where.parse(text)


def test_a_host_may_be_an_address_of_ipv6() -> None:
    assert Where.parse("dask://[::1]:8786").dask == "[::1]:8786"


def test_el_yml_names_the_line_and_the_command_line_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EL_TARGET", raising=False)
    shop = Workspace(tmp_path).create()
    assert main(["run", "--executor", "process:4"]) == 2
    said = capsys.readouterr().err
    assert said == (
        "error: --executor: 'process:4' is no executor; there are: threads, processes:N, or dask://HOST:PORT\n"
    )
    path = shop.path / "el.yml"
    path.write_text(path.read_text().replace("workers: 2", "executor: processes:many"))
    with pytest.raises(ConfigError, match=r"line 4: defaults\.executor: 'processes:many': say how many processes"):
        load_config(path)
