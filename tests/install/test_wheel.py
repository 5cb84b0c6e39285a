"""The wheel by itself, outside this repository: what `pip install` gives does the whole way to schema tables."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built of a copy: a build leaves files beside what it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(ROOT / "el", folder / "el", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder / "dist"), str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=200)
    (found,) = (folder / "dist").glob("el_loader-*.whl")
    return found


class Home:
    """A folder of a user's, and the commands of an environment of its own."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        self.folder, self.bin = folder, bin_

    def call(self, *command: str, code: int = 0) -> str:
        kept = ("HOME", "LANG", "TMPDIR", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment |= {"PATH": f"{self.bin}:/usr/bin:/bin", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        done = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.folder,
            env={**environment, "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == code, (command, done.stdout[-3000:], done.stderr[-3000:])
        return done.stdout

    def dbt(self, *arguments: str) -> None:
        self.call("dbt", "--quiet", *arguments, "--project-dir", "dbt_project", "--profiles-dir", ".")

    def count(self) -> int:
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as warehouse:
            found = warehouse.execute("SELECT count(*) FROM main.orders").fetchall()
        return int(found[0][0])

    def whole_way(self) -> None:
        """From nothing to schema tables."""
        with duckdb.connect(str(self.folder / "shop.duckdb")) as shop:
            shop.execute("CREATE TABLE orders (order_id BIGINT NOT NULL PRIMARY KEY, note VARCHAR)")
            shop.execute("INSERT INTO orders VALUES (1, 'one'), (2, NULL)")
        assert str(ROOT) not in self.call("python", "-c", "import el; print(el.__file__)")
        path = ("--path", "shop.duckdb", "--to", "duckdb", "--to-path", "warehouse.duckdb")
        self.call("python", "-m", "el", "init", "--source", "duckdb", "--name", "shop", *path)
        self.call("el", "run", "--progress", "none")
        self.call("el", "codegen")
        self.call("el", "codegen", "--check")
        self.dbt("build")
        assert self.count() == 2

    def once_more(self) -> None:
        """With what is new."""
        with duckdb.connect(str(self.folder / "shop.duckdb")) as shop:
            shop.execute("INSERT INTO orders VALUES (3, 'three')")
        self.call("el", "run", "--progress", "none", "--html", "run.html")
        assert "1 row loaded, nothing failed" in (self.folder / "run.html").read_text()
        self.dbt("build")
        assert self.count() == 3


def environment(folder: Path) -> Path:
    """A new virtual environment; where its commands are."""
    venv.create(folder, with_pip=True)
    return folder / "bin"


def test_the_wheel_does_the_whole_way_outside_this_repository(wheel: Path, tmp_path: Path) -> None:
    """Its libraries are those that are here already; el itself is the wheel's."""
    venv.create(tmp_path / "venv", with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = tmp_path / "venv" / "lib" / version / "site-packages"
    here = next(Path(place) for place in sys.path if place.endswith("site-packages"))
    # Links, not a path: an editable install beside the libraries would bring this repository's el.
    for library in here.iterdir():
        if not library.name.startswith(("el-", "el_loader", "__editable__", "_editable")) and library.suffix != ".pth":
            (own / library.name).symlink_to(library)
    command = [sys.executable, "-m", "pip", "--python", str(tmp_path / "venv" / "bin" / "python"), "install"]
    # Where Python's path leads to this repository, pip takes what lies there for what is asked for.
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command += ["--quiet", "--no-deps", "--force-reinstall", str(wheel)]
    subprocess.run(command, check=True, capture_output=True, timeout=100, env=plain, cwd=tmp_path)
    dbt = tmp_path / "venv" / "bin" / "dbt"
    dbt.write_text(
        f"#!{tmp_path / 'venv' / 'bin' / 'python'}\nimport sys\nfrom dbt.cli.main import cli\nsys.exit(cli())\n"
    )
    dbt.chmod(0o755)
    folder = tmp_path / "home"
    folder.mkdir()
    Home(folder, tmp_path / "venv" / "bin").whole_way()


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_pip_brings_all_that_the_whole_way_needs(wheel: Path, tmp_path: Path) -> None:
    """Of the package index, within the versions that this repository has tried."""
    python = environment(tmp_path / "venv") / "python"
    named = f"el-loader[dbt] @ {wheel.as_uri()}"
    command = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt"), named]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    folder = tmp_path / "home"
    folder.mkdir()
    home = Home(folder, python.parent)
    home.whole_way()
    home.once_more()
