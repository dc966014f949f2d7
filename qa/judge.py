"""Judge: reads a question, or a statement, together with a text. Does the text answer, where, does it support or
contradict? A small network of our own on the encoder's trunk; qa/weights/README.md says what it learned from.

As with the encoder, every pair is run by itself and on one thread, so what is said of a text depends on nothing else.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from qa.errors import JudgeError
from qa.network import Floats, Network

WEIGHTS = Path(__file__).with_name("weights")
FILES = ("judge.onnx", "tokenizer.json")
REINSTALL = "install the package again, or go without it (`--no-judge`, QA_JUDGE=off)"

_LONGEST_SPAN = 24  # tokens
S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """How likely each run of a text's tokens is to be the answer.

    `offsets`, shape (tokens, 2), are the half-open ranges of code points they stand in; `chances`, shape (tokens,
    tokens), is by first and last token.
    """

    offsets: npt.NDArray[np.int64]
    chances: Floats

    def mass(self, start: int, end: int) -> float:
        """The probability that the answer meets the range [start, end)."""
        met = np.flatnonzero((self.offsets[:, 0] < end) & (start < self.offsets[:, 1]))
        return float(self.chances[: met[-1] + 1, met[0] :].sum()) if len(met) else 0.0


@dataclass(frozen=True, slots=True)
class Reading:
    """Whether a text answers a question, as a probability, and where: the half-open range [start, end) of its code
    points that is likeliest to be the answer, and the probability of that range among all.
    """

    answers: float
    start: int
    end: int
    span: float
    spans: Spans | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Claim:
    """The probabilities that a text supports a statement, contradicts it, or does neither."""

    supports: float
    contradicts: float
    neither: float


class TextJudge(Protocol):
    """What answers and drafts need of a judge: the seam where tests put one of their own."""

    @property
    def name(self) -> str: ...

    def read(self, question: str, texts: Sequence[str]) -> list[Reading]:
        """Whether each text answers the question, and where."""
        ...

    def weigh(self, pairs: Sequence[tuple[str, str]]) -> list[Claim]:
        """Of statements and texts, whether each text supports or contradicts its statement."""
        ...


class Judge:
    """The network in a folder: `judge.onnx`, `tokenizer.json`, and `judge.json` with their sha256 and the calibration.

    It reads at most `max_tokens` of question and text together; of more it reads the beginning of the longer one.
    """

    def __init__(self, folder: Path = WEIGHTS) -> None:
        self.folder = folder
        try:
            spec = json.loads((folder / "judge.json").read_text(encoding="utf-8"))
            self._digests = {name: str(spec["sha256"][name]) for name in FILES}
            self._max_tokens = int(spec["max_tokens"])
            self._slope, self._shift = (float(x) for x in spec["calibration"]["answers"])
            self._temperature = float(spec["calibration"]["claim"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise JudgeError(f"{folder} holds no judge of ours ({error}); {REINSTALL}") from error

    @property
    def name(self) -> str:
        """Sixteen digits of the network's sha256."""
        return self._digests["judge.onnx"][:16]

    def read(self, question: str, texts: Sequence[str]) -> list[Reading]:
        """Whether each text answers the question, and where in it."""
        return self._map(lambda text: self._read(question, text), texts)

    def weigh(self, pairs: Sequence[tuple[str, str]]) -> list[Claim]:
        """Of statements and texts, whether each text supports its statement, contradicts it, or does neither."""
        return self._map(lambda pair: self._weigh(*pair), pairs)

    def warm(self) -> None:
        """Begin to load the network in the background, so that less is left to wait for at the first question."""
        _ = self._network

    def _read(self, question: str, text: str) -> Reading:
        pair, (answers, span, _) = self._run(question, text)
        own = np.array([s == 1 and b > a for s, (a, b) in zip(pair.sequence_ids, pair.offsets, strict=True)])
        chance = sigmoid(self._slope * float(answers[0]) + self._shift)
        if not own.any():
            return Reading(chance, 0, 0, 0.0)
        chances = span_chances(span[0], own)
        first, last = divmod(int(chances.argmax()), len(own))
        mine = np.flatnonzero(own)
        spans = Spans(np.array(pair.offsets)[mine], chances[np.ix_(mine, mine)])
        return Reading(chance, pair.offsets[first][0], pair.offsets[last][1], float(chances[first, last]), spans)

    def _weigh(self, statement: str, text: str) -> Claim:
        _, (_, _, claim) = self._run(statement, text)
        supports, contradicts, neither = softmax(claim[0] / self._temperature).tolist()
        return Claim(supports, contradicts, neither)

    def _run(self, first: str, text: str) -> tuple[Any, list[Floats]]:
        pair = self._network.tokenizer.encode(first, text)
        outputs = ["answers", "span", "claim"]
        return pair, self._network.run(outputs, input_ids=pair.ids, token_type_ids=pair.type_ids)

    def _map(self, judge: Callable[[S], T], given: Sequence[S]) -> list[T]:
        self.warm()  # here, since of two workers each could begin to load one
        if len(given) < 2:
            return [judge(one) for one in given]
        return list(self._workers.map(judge, given))

    @cached_property
    def _workers(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="judge")

    @cached_property
    def _network(self) -> Network:
        return Network(
            lambda: self._checked("tokenizer.json").decode(), lambda: self._checked("judge.onnx"), self._max_tokens
        )

    def _checked(self, name: str) -> bytes:
        """A file's bytes, if they are those that the figures were measured with."""
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise JudgeError(f"the judge's {name} can't be read ({error}); {REINSTALL}") from error
        if hashlib.sha256(data).hexdigest() != self._digests[name]:
            raise JudgeError(f"{self.folder / name} is not the judge's file (its sha256 differs); {REINSTALL}")
        return data


def span_chances(logits: Floats, own: npt.NDArray[np.bool_]) -> Floats:
    """The probability of each span by its first and last token, shape (tokens, tokens).

    `logits` has shape (tokens, 2), for a span's first and last token; `own` tells the text's tokens, shape (tokens,).
    """
    lag = np.arange(len(own))[None, :] - np.arange(len(own))[:, None]
    spans = own[:, None] & own[None, :] & (lag >= 0) & (lag < _LONGEST_SPAN)
    scores = np.where(spans, logits[:, 0][:, None] + logits[:, 1][None, :], -1e9)
    return softmax(scores.ravel()).reshape(scores.shape)


def softmax(logits: Floats) -> Floats:
    """Logits, shape (n,), as probabilities that sum to 1."""
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum(), dtype=np.float32)


def sigmoid(x: float) -> float:
    """A log-odds as a probability."""
    return 1 / (1 + math.exp(-max(min(x, 40.0), -40.0)))


def log_odds(chance: float, least: float) -> float:
    """The log-odds of a probability, which is first kept within [least, 1 - least]."""
    bounded = min(max(chance, least), 1 - least)
    return math.log(bounded / (1 - bounded))
