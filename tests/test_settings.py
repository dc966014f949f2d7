"""Settings: an argument, then the environment, then the default."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from qa.errors import QAError, SettingsError
from qa.settings import BUNDLED_MODEL, Settings

ENVIRON = {"QA_SOURCES": "env/sources", "QA_INDEX": "env/index", "QA_MODEL": "env-model"}


def test_the_defaults_hold_when_nothing_is_given() -> None:
    assert Settings.load(environ={}) == Settings(Path("sources"), Path("index"), BUNDLED_MODEL)


def test_the_environment_wins_over_the_defaults() -> None:
    assert Settings.load(environ=ENVIRON) == Settings(Path("env/sources"), Path("env/index"), "env-model")


def test_an_argument_wins_over_the_environment() -> None:
    found = Settings.load("a", Path("b"), "c", environ=ENVIRON)
    assert found == Settings(Path("a"), Path("b"), "c")


def test_the_process_s_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_INDEX", "elsewhere")
    assert Settings.load().index == Path("elsewhere")


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert Settings.load("~/docs", environ={}).sources == Path("/home/someone/docs")


@pytest.mark.parametrize("name", ["QA_SOURCES", "QA_INDEX", "QA_MODEL"])
@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is empty"):
        Settings.load(environ={name: value})


@pytest.mark.parametrize("name", ["sources", "index", "model"])
def test_an_empty_argument_is_refused_too(name: str) -> None:
    with pytest.raises(QAError, match=f"QA_{name.upper()} is empty"):
        Settings.load(**{name: " "}, environ={})  # type: ignore[arg-type]


@pytest.mark.parametrize(("value", "judge"), [("on", True), ("off", False), (" OFF ", False)])
def test_the_judge_can_be_turned_off(value: str, judge: bool) -> None:
    assert Settings.load(environ={"QA_JUDGE": value}).judge is judge
    assert Settings.load(judge=not judge, environ={"QA_JUDGE": value}).judge is not judge


def test_a_switch_is_on_or_off() -> None:
    with pytest.raises(SettingsError, match="QA_JUDGE is 'maybe'; it can be on or off"):
        Settings.load(environ={"QA_JUDGE": "maybe"})


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().model = "other"  # type: ignore[misc]
