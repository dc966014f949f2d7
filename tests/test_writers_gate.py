"""The writers' gate: what counts as worse, and a baseline that names what is measured."""

from __future__ import annotations

import json

import pytest

from evals.writers import BASELINE, worse

ACCURACY, ALARMS = "claims, score: accuracy", "claims, score: false alarms on supported claims"


@pytest.mark.parametrize(
    ("now", "fallen"),
    [
        ({ACCURACY: 0.9, ALARMS: 0.02}, []),
        ({ACCURACY: 0.95, ALARMS: 0.0}, []),
        ({ACCURACY: 0.89, ALARMS: 0.02}, [ACCURACY]),
        ({ACCURACY: 0.9, ALARMS: 0.03}, [ALARMS]),
        ({ACCURACY: 0.9}, [ALARMS]),
    ],
)
def test_a_worse_figure_is_told(now: dict[str, float], fallen: list[str]) -> None:
    assert list(worse({ACCURACY: 0.9, ALARMS: 0.02}, now)) == fallen


def test_the_baseline_holds_what_is_promised() -> None:
    kept = json.loads(BASELINE.read_text(encoding="utf-8"))
    assert {ACCURACY, ALARMS} <= kept.keys()
    for kind in ("exact", "typographic", "altered", "spliced", "misattributed", "invented"):
        assert kept[f"quotes, score: {kind}"] == kept[f"quotes, tune: {kind}"] == 1.0
