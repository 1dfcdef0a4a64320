"""`trygghub registry`, `sign-in-link` and `audit`: each exits non-zero with sentences on a bad input."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from hub.cli.__main__ import main
from hub.registry.check import check
from hub.store.engine import open_store, sqlite_url


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, named by the environment."""
    monkeypatch.setenv("TRYGGHUB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def path(tmp_path: Path, file: str) -> str:
    """A registry file without faults, on the disk."""
    (tmp_path / "registry.yaml").write_text(file, encoding="utf-8")
    return str(tmp_path / "registry.yaml")


async def emptied(data: Path) -> None:
    """A centre that has started and knows nobody."""
    (data / "centre").mkdir(parents=True)
    await (await open_store(sqlite_url(data / "centre" / "centre.db"), "centre")).close()


def test_check_says_what_is_there(path, capsys):
    """A file without faults is counted."""
    assert main(["registry", "check", path]) == 0
    assert capsys.readouterr().out.endswith(
        "2 homes, 1 residents, 1 gateways, 2 devices, 2 staff; nothing is wrong\n"
    )


def test_check_says_what_is_wrong(path, file, capsys):
    """Every fault is a line of its own, with its place, and the command fails."""
    Path(path).write_text(file.replace("zone: nord, gateway", "zone: north, gateway"), encoding="utf-8")
    assert main(["registry", "check", path]) == 1
    said = capsys.readouterr().err
    assert said == f"{path}: line 19: there is no zone 'north'; the file has nord, sor\n"


def test_in_and_out(path, data, tmp_path, file, capsys):
    """What goes in comes out, and going in again changes nothing."""
    assert main(["registry", "import", path]) == 0
    assert main(["registry", "export", str(tmp_path / "out.yaml")]) == 0
    assert check((tmp_path / "out.yaml").read_text(encoding="utf-8")).registry == check(file).registry
    capsys.readouterr()
    assert main(["registry", "import", str(tmp_path / "out.yaml")]) == 0
    assert capsys.readouterr().out == "the registry says the same already; nothing changed\n"


def test_a_faulty_file_changes_nothing(path, data, file, capsys):
    """A file with a fault is not imported, not even in part."""
    Path(path).write_text(file.replace("native_lock", "native_lokc"), encoding="utf-8")
    assert main(["registry", "import", path]) == 1
    assert capsys.readouterr().err.endswith("nothing was imported\n")
    assert main(["registry", "export"]) == 2
    assert f"there is no database {data}/centre/centre.db" in capsys.readouterr().err


def test_a_file_that_is_not_there(data, capsys):
    """A missing file is one sentence."""
    assert main(["registry", "check", "/nowhere/registry.yaml"]) == 2
    assert capsys.readouterr().err.endswith(
        "/nowhere/registry.yaml cannot be read: No such file or directory\n"
    )


def test_a_link_for_a_coordinator(path, data, capsys):
    """A link is for a coordinator when nobody is named; for a stranger there is none."""
    main(["registry", "import", path])
    capsys.readouterr()
    assert main(["sign-in-link", "--base-url", "https://trygg.example"]) == 0
    assert capsys.readouterr().out.startswith("https://trygg.example/nb/sign-in?token=")
    assert main(["sign-in-link", "ghost"]) == 2
    assert capsys.readouterr().err == "trygghub sign-in-link: there is no staff 'ghost' in the registry\n"


def test_no_link_into_an_empty_house(data, capsys):
    """Before a registry is imported nobody can sign in, and the sentence says what to do."""
    asyncio.run(emptied(data))
    assert main(["registry", "export"]) == 1
    assert capsys.readouterr().err == "trygghub registry: no registry has been imported yet\n"
    assert main(["sign-in-link"]) == 2
    assert capsys.readouterr().err.endswith("the registry has no staff who could sign in; import one first\n")


def test_audit_verify(path, data, capsys):
    """The trail holds until somebody meddles with it; a head noted before finds a cut-off end."""
    main(["registry", "import", path])
    capsys.readouterr()
    assert main(["audit", "verify"]) == 0
    head = capsys.readouterr().out.split()[-1]
    assert main(["audit", "verify", "--expect", head]) == 0
    with sqlite3.connect(data / "centre" / "centre.db") as database:
        database.execute("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)")
    capsys.readouterr()
    assert main(["audit", "verify"]) == 0
    assert main(["audit", "verify", "--expect", head]) == 1
    assert capsys.readouterr().err.endswith("its end was cut off\n")
    with sqlite3.connect(data / "centre" / "centre.db") as database:
        database.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 2")
    assert main(["audit", "verify"]) == 1
    assert "row 2: its content does not match its hash" in capsys.readouterr().err
