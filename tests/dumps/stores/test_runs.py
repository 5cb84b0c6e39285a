"""From where dumps lie into raw, at the command line."""

from __future__ import annotations

import yaml

from tests.dumps.archives.test_members import packed
from tests.dumps.workspace import Dumps
from tests.servers.object_storage import S3

BUCKET = """\
version: 1
source: old
destination: warehouse
defaults: {workers: 2, retries: 0}
dumps:
  - {name: sales.orders, files: "run/{year}.tar.gz!/*.csv", format: csv, settle: 0s}
"""


def test_a_damaged_archive_fails_by_its_name_and_stops_no_other(dumps: Dumps) -> None:
    dumps.entry(text=_folder('"files/*.zip!/*.csv"'))
    dumps.file("2024.zip", packed("2024.zip", {"a.csv": b"id\n1\n"})[:-5])
    dumps.file("2025.zip", packed("2025.zip", {"a.csv": b"id\n2\n"}))
    assert dumps.run() == 1
    assert "2024.zip: it is cut off or damaged" in dumps.out
    assert dumps.rows("id") == [("2",)]
    dumps.file("2024.zip", packed("2024.zip", {"a.csv": b"id\n1\n"}))
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id") == [("1",), ("2",)]


def test_an_archive_that_is_still_being_written_waits_as_any_file_does(dumps: Dumps) -> None:
    dumps.entry(text=_folder('"files/*.zip!/*.csv"').replace("settle: 0s", "settle: 1h"))
    dumps.file("2024.zip", packed("2024.zip", {"a.csv": b"id\n1\n"}), age=7200)
    dumps.file("2025.zip", packed("2025.zip", {"a.csv": b"id\n2\n"})[:-5], age=5)
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id") == [("1",)]


def test_files_in_a_bucket_are_in_raw_and_its_keys_in_nothing_that_is_shown_or_kept(dumps: Dumps, s3: S3) -> None:
    dumps.entry(text=BUCKET)
    secret = str(s3.settings["secret_access_key"])
    profiles = {
        "old": {"target": "x", "outputs": {"x": {"type": "files", "url": s3.root, **s3.settings}}},
        "warehouse": {"target": "x", "outputs": {"x": {"type": "duckdb", "path": "warehouse.duckdb"}}},
    }
    (dumps.path / "profiles.yml").write_text(yaml.safe_dump(profiles))
    s3.put("run/2024.tar.gz", packed("2024.tar.gz", {"a.csv": b"id\n1\n", "b.csv": b"id\n2\n"}))
    assert dumps.run() == 0, dumps.out
    assert dumps.rows("id, year") == [("1", "2024"), ("2", "2024")]
    assert dumps.sql("SELECT DISTINCT uri FROM old_sales._el_files") == [(f"{s3.root}/run/2024.tar.gz",)]
    kept = [path for path in dumps.path.rglob("*") if path.is_file() and path.name != "profiles.yml"]
    assert not [path for path in kept if secret.encode() in path.read_bytes()]
    assert secret not in dumps.out
    with s3.checked():
        assert dumps.run() == 1
    assert "InvalidAccessKeyId" in dumps.out
    assert secret not in dumps.out


def _folder(files: str) -> str:
    return BUCKET.replace('"run/{year}.tar.gz!/*.csv"', files)
