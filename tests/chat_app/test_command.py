"""The command line: each command has its own help, and both programs know the same ones."""

from __future__ import annotations

import pytest

from chat_app import __main__, command

COMMANDS = ("run", "worker", "migrate", "doctor", "backup", "restore", "move", "user", "key")


def said(capsys: pytest.CaptureFixture[str], *words: str, program: str = "durable-agents") -> str:
    """Return what a call that exits prints."""
    with pytest.raises(SystemExit):
        command.main(words) if program == "durable-agents" else __main__.main(list(words))
    return "".join(capsys.readouterr())


@pytest.mark.parametrize("program", ["durable-agents", "python -m chat_app"])
def test_help_lists_every_command(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "--help", program=program)
    assert text.startswith(f"usage: {program} ")
    assert [line.split()[0] for line in text.splitlines() if line.startswith("    ") and line[4] != " "] == [
        *COMMANDS
    ]


def test_durable_agents_without_a_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys) == said(capsys, "--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_help_of_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, name, "--help").startswith(f"usage: durable-agents {name} ")


def test_the_app_without_a_command_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(__main__, "_run", lambda options: ran.append(f"{options.command} {options.dev}"))
    for words in ([], ["run"], ["--dev"]):
        __main__.main(words)
    assert ran == ["run False", "run False", "run True"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["serve"], "invalid choice: 'serve'"),
        (["--port", "80"], "unrecognized arguments: --port 80"),
        (["run", "--dev", "--demo"], "not allowed with argument"),
        (["worker", "--metrics-port", "x"], "invalid int value: 'x'"),
        (["worker", "my_agents"], "unrecognized arguments: my_agents"),
        (["backup"], "required: FILE"),
        (["user"], "required: ACTION"),
    ],
)
def test_words_that_do_not_fit_are_refused(
    words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reason in said(capsys, *words)


def test_agents_of_a_program_are_run_by_agent_core() -> None:
    assert "There is no module 'no_such_agents'" in said_by_agent_core("worker", "no_such_agents:build")
    assert "'nonsense' is not a database URL" in said_by_agent_core("migrate", "nonsense")


def said_by_agent_core(*words: str) -> str:
    """Return the sentence with which a call exits."""
    database = ("--database", "sqlite:///agents.db") if words[0] == "worker" else ()
    with pytest.raises(SystemExit) as caught:
        command.main([*words, *database])
    return str(caught.value)


def test_without_the_app_its_commands_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_has_app", lambda: False)
    text = said(capsys, "--help")
    assert text.startswith("usage: durable-agents ")
    assert "reflex-durable-agents[app]" in text
    for name in ("run", "doctor", "user", "key"):
        with pytest.raises(SystemExit, match=r"reflex-durable-agents\[app\]"):
            command.main([name])
