"""The `trygghub` command finds its subcommands and answers mistakes with one sentence."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import hub.cli
from hub.cli import __main__ as command
from hub.cli.outcome import Refused
from hub.log import hide, mask
from hub.supervisor.folder import DataFolder, Memory


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`trygghub --help` lists all there is and ends well."""
    assert command.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in command.COMMANDS)


def test_every_command_has_a_module_or_a_process_of_its_own() -> None:
    """Nothing in the list leads nowhere."""
    folder = Path(hub.cli.__file__).parent
    own = {module for name, (module, _) in command.COMMANDS.items() if name not in command.OWN_PROCESS}
    assert {module for module in own if not (folder / f"{module}.py").is_file()} == set()


def test_no_command_at_all_shows_the_overview_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """A script that forgot the command notices."""
    assert command.main([]) == 2
    assert "usage: trygghub COMMAND" in capsys.readouterr().out


def test_a_misspelt_command_is_answered_with_the_likely_one(capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence on standard error, exit code 2."""
    assert command.main(["gatewy"]) == 2
    assert capsys.readouterr().err == (
        "trygghub: there is no command 'gatewy'; did you mean 'gateway'? (see trygghub --help)\n"
    )


def test_an_unknown_flag_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """No usage text is thrown at the person."""
    with pytest.raises(SystemExit) as stop:
        command.main(["gateway", "--idd", "gw1"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "trygghub gateway: unrecognized arguments: --idd gw1 (see trygghub gateway --help)\n"
    )


def test_a_data_folder_that_cannot_be_made_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The folder is named once, with the reason in words and no number."""
    taken = tmp_path / "taken"
    taken.write_text("a file")
    assert command.main(["run", "--data", str(taken)]) == 2
    assert capsys.readouterr().err == f"trygghub run: the data folder {taken} cannot be used: file exists\n"
    assert command.main(["run", "--data", str(taken / "below")]) == 2
    said = f"trygghub run: the data folder {taken / 'below'} cannot be used: not a directory\n"
    assert capsys.readouterr().err == said


def test_a_missing_setting_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command says what it needs and does not start."""
    monkeypatch.delenv("TRYGGHUB_ID", raising=False)
    assert command.main(["gateway"]) == 2
    assert capsys.readouterr().err.startswith("trygghub gateway: --id is needed")


def test_a_refusal_carries_its_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subcommand stops with a sentence and the code it chose."""

    def refuse(_args: object) -> int:
        raise Refused("the book has two faults", code=1)

    monkeypatch.setattr("hub.cli.gateway.run", refuse)
    assert command.main(["gateway"]) == 1
    assert capsys.readouterr().err == "trygghub gateway: the book has two faults\n"


@pytest.mark.parametrize(
    "text",
    ["mqtt://gw:hunter2@host:1883", "cannot reach postgresql://centre:hunter2@db/trygghub now"],
)
def test_a_password_in_a_url_never_reaches_a_log(text: str) -> None:
    """Every text of a log line is masked, wherever the URL came from."""
    assert "hunter2" not in hide(text)
    line = mask(logging.getLogger(), "info", {"event": text, "count": 1})
    assert "hunter2" not in str(line)
    assert line["count"] == 1


@pytest.mark.parametrize(
    "line", ["audit verify", "sign-in-link eva", "registry export", "rules why-not fall h1"]
)
def test_a_question_to_a_wrong_folder_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str
) -> None:
    """An empty database made on the spot would answer that nothing is wrong."""
    assert command.main([*line.split(), "--data", str(tmp_path / "elsewhere")]) == 2
    assert "there is no database" in capsys.readouterr().err
    assert not (tmp_path / "elsewhere").exists()


def test_a_sign_in_link_leads_to_the_port_of_the_last_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The dashboard of a data folder keeps its port, and a new link leads there."""
    registry = Path(hub.cli.__file__).parents[2] / "simulators" / "scenarios" / "demo_registry.yaml"
    assert command.main(["registry", "import", str(registry), "--data", str(tmp_path)]) == 0
    for port, web in ((8420, {}), (8777, {"web": 8777})):
        DataFolder(tmp_path).remember(Memory(gateway="gw1", demo=False, registry="", ports=web))
        assert command.main(["sign-in-link", "eva", "--data", str(tmp_path)]) == 0
        assert f"http://127.0.0.1:{port}/nb/sign-in?token=" in capsys.readouterr().out
