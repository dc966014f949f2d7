"""Training examples from public data: questions and statements, with texts that tell and texts that don't.

Nothing of the briefs, their originals or evals/ is read here. SQuAD 2.0's articles in TEST are for testing only.
`written.jsonl` holds questions and statements in other words, written for this project about passages of the public
data (named by a digest) and about texts of its own; a tenth of its passages is for testing, a tenth for development.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from qa.lexicon import Lexicon, write_lexicon
from qa.values import mentions
from qa.words import sentences, words
from training.alter import KINDS, Kind, alter, names_in, swap

TEST = frozenset(("Harvard_University", "Steam_engine", "Islamism", "Force"))
DEVELOPMENT = frozenset(("Normans", "1973_oil_crisis"))

T = TypeVar("T")

WRITTEN = Path(__file__).with_name("written.jsonl")

SUPPORTS, CONTRADICTS, NEITHER = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
_TITLE, _BEFORE = 60, 120  # code points of a title and of what stands before a sentence that are shown with it
_NOT_TOLD = (0.0, 0.5, 0.5)  # a question that its paragraph doesn't answer, with the answer it seems to have


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the sentences it may be asked of; `gold` are the numbers of those that answer it, `spans` where.

    `plausible` is the sentence with the answer that an unanswerable question seems to have.
    """

    text: str
    article: str
    sentences: tuple[str, ...]
    gold: tuple[int, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    plausible: int | None = None
    plausible_text: str = ""
    cased: bool = True


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and a text, whether the text answers it, where if that is known, and what stands before the text."""

    question: str
    text: str
    answers: bool
    span: tuple[int, int] | None = None
    context: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement, a text, the probabilities that it supports, contradicts or does neither, and what stands before."""

    statement: str
    text: str
    label: tuple[float, float, float]
    context: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of a passage, each time in other words, the sentence that answers, and where in it."""

    sentence: int
    span: tuple[int, int]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A passage with what was written about it: questions, questions left open (by tempting sentence), statements."""

    title: str
    sentences: tuple[str, ...]
    asks: tuple[Ask, ...]
    open: tuple[tuple[int, str], ...]
    claims: tuple[Claim, ...]

    def questions(self) -> Iterator[Question]:
        """What is asked as questions of this passage."""
        for ask in self.asks:
            for text in ask.words:
                yield Question(text, self.title, self.sentences, (ask.sentence,), (ask.span,))
        for sentence, text in self.open:
            yield Question(text, self.title, self.sentences, plausible=sentence)


def paragraphs(written: Mapping[str, Sequence[Written]]) -> dict[str, str]:
    """The text of every passage that was written about, by its digest."""
    return {digest(p.sentences): " ".join(p.sentences) for several in written.values() for p in several}


@dataclass(frozen=True)
class Data:
    """All that is read from the data folder, and what was written about it, split once and for all."""

    questions: dict[str, list[Question]]
    claims: dict[str, list[Claim]]
    written: dict[str, list[Written]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)

    def written_questions(self, part: str) -> list[Question]:
        """What is asked of a part's passages that were written about."""
        return [question for passage in self.written.get(part, ()) for question in passage.questions()]

    def written_claims(self, part: str) -> list[Claim]:
        """What is stated about a part's passages that were written about."""
        return [claim for passage in self.written.get(part, ()) for claim in passage.claims]


def held_out(name: str, share: int = 5) -> bool:
    """Whether a page is kept for testing: a fifth of them, by a hash of the name."""
    return sha256(name.encode()).digest()[0] % share == 0


def read_data(folder: Path, written: Path = WRITTEN) -> Data:
    """Read the public data and what was written about it; keys are `train`, `development` and `test`."""
    public = [*_squad2(folder), *_squad1(folder), *_selqa(folder)]
    passages: dict[str, list[Written]] = defaultdict(list)
    for passage in _written(written, {digest(q.sentences): q for q in public if q.cased}):
        key = digest(passage.sentences)
        passages["test" if held_out(key, 10) else "development" if held_out("dev" + key, 10) else "train"].append(
            passage
        )
    kept = {passage.sentences for part in ("test", "development") for passage in passages[part]}
    questions: dict[str, list[Question]] = defaultdict(list)
    for each in public:
        if each.sentences in kept:
            continue
        part = "test" if each.article in TEST else "development" if each.article in DEVELOPMENT else "train"
        questions[part].append(each)
    claims: dict[str, list[Claim]] = defaultdict(list)
    by_page: dict[str, list[str]] = defaultdict(list)
    rows = _lines(folder / "fool-me-twice-dev.jsonl")
    for row in rows:
        by_page[row["page"]].append(" ".join(row["evidence"]))
    for row in rows:
        part = "test" if held_out(row["page"]) else "development" if held_out("dev" + row["page"], 10) else "train"
        label = SUPPORTS if row["label"] == "SUPPORTS" else CONTRADICTS
        claims[part].append(Claim(row["claim"], " ".join(row["evidence"]), label))
    for row in _lines(folder / "wice-dev.jsonl"):
        if row["evidence"] and row["label"] != "not_supported":
            label = SUPPORTS if row["label"] == "supported" else NEITHER
            claims["train"].append(Claim(row["claim"], " ".join(row["evidence"])[:900], label))
    names: dict[str, list[str]] = defaultdict(list)
    for several in questions.values():
        for question in several:
            if question.cased:
                names[question.article].extend(n for s in question.sentences for n in names_in(s))
    for passage in passages["train"]:
        names[passage.title].extend(n for s in passage.sentences for n in names_in(s))
    return Data(dict(questions), dict(claims), dict(passages), {a: sorted(set(n)) for a, n in names.items()})


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def pool(data: Data, part: str) -> list[str]:
    """The sentences of a part of the data that are long enough to say something."""
    texts = [
        *(q.sentences for q in data.questions.get(part, ())),
        *(p.sentences for p in data.written.get(part, ())),
    ]
    return list(dict.fromkeys(s for sentences in texts for s in sentences if len(s) > 25))


def standing(data: Data, part: str) -> dict[str, tuple[str, str]]:
    """The title over each sentence of a part of the data, and what stands before it in its passage, where known."""
    passages = [
        *((titled(q.article), q.sentences) for q in data.questions.get(part, ()) if q.cased),
        *((titled(p.title), p.sentences) for p in data.written.get(part, ())),
    ]  # fmt: skip
    out: dict[str, tuple[str, str]] = {}
    for title, texts in passages:
        for i, text in enumerate(texts):
            out.setdefault(text, before(title, texts, i))
    return out


def some(every: Sequence[T], most: int, seed: int) -> list[T]:
    """All of them, in an order drawn from a seed, or so many of them."""
    return random.Random(seed).sample(every, min(most, len(every)))


def titled(article: str) -> str:
    """An article's name as it stands over its text."""
    return article.removeprefix("selqa:").replace("_", " ")


def before(title: str, sentences: Sequence[str], number: int) -> tuple[str, str]:
    """The title over a sentence, and the two that stand before it."""
    return title, " ".join(sentences[max(0, number - 2) : number])


def beside(asked: str, context: str) -> str:
    """A question or a statement together with what stands before the text that it is read with.

    Only the text itself is the network's second part, so only in it are answers sought.
    """
    return f"{asked} [SEP] {context}" if context else asked


def _context(told: tuple[str, str], shown: tuple[bool, bool]) -> str:
    title, before = (part if show else "" for part, show in zip(told, shown, strict=True))
    tail = before[-_BEFORE:].partition(" ")[2] if len(before) > _BEFORE else before
    return ". ".join(part for part in (title[:_TITLE].strip(), tail.strip()) if part)


def digest(sentences: Sequence[str]) -> str:
    """Sixteen digits of the sha256 of a text's sentences without their spaces."""
    return sha256("".join("".join(sentences).split()).encode()).hexdigest()[:16]


def _written(path: Path, given: Mapping[str, Question]) -> Iterator[Written]:
    """What was written; passages of public data that isn't there are left out."""
    labels = {"supports": SUPPORTS, "contradicts": CONTRADICTS, "neither": NEITHER}
    for row in _lines(path):
        public = given.get(row.get("digest", ""))
        if "digest" in row and public is None:
            continue
        sentences = public.sentences if public else tuple(row["sentences"])
        asks = []
        for ask in row["asks"]:
            start = sentences[ask["sentence"]].find(ask["answer"])
            if start >= 0:
                asks.append(Ask(ask["sentence"], (start, start + len(ask["answer"])), tuple(ask["words"])))
        title = public.article if public else row["title"]
        yield Written(
            title, sentences, tuple(asks),
            tuple((one["sentence"], one["words"]) for one in row["open"]),
            tuple(Claim(c["words"], sentences[c["sentence"]], labels[c["label"]]) for c in row["claims"]),
        )  # fmt: skip


def _squad2(folder: Path) -> Iterator[Question]:
    for article in json.loads((folder / "squad2-dev-half.json").read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            context = paragraph["context"]
            ranges = list(sentences(context))
            texts = tuple(context[a:b] for a, b in ranges)
            for qa in paragraph["qas"]:
                if qa["is_impossible"]:
                    told = (qa.get("plausible_answers") or [None])[0]
                    at = (
                        _holding(ranges, told["answer_start"], told["answer_start"] + len(told["text"]))
                        if told
                        else None
                    )
                    yield Question(qa["question"], article["title"], texts, plausible=at[0] if at else None,
                                   plausible_text=told["text"] if told else "")  # fmt: skip
                    continue
                found: dict[int, tuple[int, int]] = {}
                for answer in sorted(qa["answers"], key=lambda a: -sum(b["text"] == a["text"] for b in qa["answers"])):
                    start = answer["answer_start"]
                    held = _holding(ranges, start, start + len(answer["text"]))
                    if held and held[0] not in found:
                        found[held[0]] = held[1]
                if found:
                    yield Question(qa["question"], article["title"], texts, tuple(found), tuple(found.values()))


def _holding(ranges: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, tuple[int, int]] | None:
    """The number of the range that holds [start, end), and that range counted from its start."""
    for number, (a, b) in enumerate(ranges):
        if a <= start and end <= b:
            return number, (start - a, end - a)
    return None


def _squad1(folder: Path) -> list[Question]:
    rows = _lines(folder / "squad1-train-part-sentences.jsonl")
    out = []
    for i, row in enumerate(rows):
        near = dict.fromkeys(r["sentence"] for r in rows[max(0, i - 12) : i + 13])
        near.pop(row["sentence"])
        texts = (row["sentence"], *near)
        span = asked_value(row["question"], row["sentence"])
        out.append(Question(row["question"], f"squad1:{i // 25}", texts, (0,), (span,) if span else (), cased=False))
    return out


def _selqa(folder: Path) -> Iterator[Question]:
    for row in _lines(folder / "selqa.jsonl"):
        spans = [asked_value(row["question"], row["sentences"][i]) for i in row["answers"]]
        told = tuple(span for span in spans if span)
        yield Question(row["question"], f"selqa:{row['article']}", tuple(row["sentences"]), tuple(row["answers"]),
                       told if len(told) == len(spans) else ())  # fmt: skip


_ASKS = {
    "date": re.compile(r"^(?:when|in (?:what|which) year|(?:on |in )?what (?:year|date|month|day))\b|\b(?:in|on) "
                       r"(?:what|which) (?:year|date|month)\b", re.IGNORECASE),
    "number": re.compile(r"\bhow (?:many|much)\b|\bwhat (?:percent|percentage|number|fraction)\b", re.IGNORECASE),
}  # fmt: skip


def asked_value(question: str, sentence: str) -> tuple[int, int] | None:
    """Where the answer stands, if a date or a number is asked for and the sentence has just one that isn't asked with.

    For data that name the answering sentence and not the answer.
    """
    for kind, asks in _ASKS.items():
        if asks.search(question):
            said = {m.normalized for m in mentions(question)}
            found = [m for m in mentions(sentence) if m.kind == kind and m.normalized not in said]
            return (found[0].start, found[0].end) if len(found) == 1 else None
    return None


class Examples:
    """Draws training examples without end, from a seed.

    `like` are words that may be put for each word; `near` are, by question, sentences near to it that don't answer,
    which are sought by its words alone where there are none.
    """

    def __init__(
        self,
        data: Data,
        seed: int,
        like: Mapping[str, Sequence[str]] | None = None,
        near: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.data, self.like, self.near = data, like or {}, near or {}
        self.draw = random.Random(seed)
        train = data.questions["train"]
        self.squad2 = [q for q in train if not q.article.startswith(("squad1:", "selqa:"))]
        self.squad1 = [q for q in train if q.article.startswith("squad1:")]
        self.selqa = [q for q in train if q.article.startswith("selqa:")]
        written = data.written.get("train", [])
        self.asks = [(passage, ask) for passage in written for ask in passage.asks]
        self.retold = data.written_claims("train")
        self.pool, self.standing = pool(data, "train"), standing(data, "train")
        self.bare = {text for text in self.pool if text not in self.standing}
        with tempfile.TemporaryDirectory(prefix="judge-") as folder:
            write_lexicon(Path(folder, "words"), self.pool)
            self.lexicon = Lexicon(Path(folder, "words"))  # mapped, so that it outlives its folder's name
        self.fm2 = data.claims["train"]
        self.told = [q for q in train if q.gold and q.spans]
        self.all_names = sorted({n for a, ns in data.names.items() if a not in TEST for n in ns})
        self._queues: dict[int, list[Any]] = {}

    def group(self) -> list[Pair]:
        """A question with a text that answers it, if one does, and some that don't, all about the same; often with what
        stands before each text, if that is known.
        """
        pairs = self._written_group() if self.asks and self.draw.random() < 0.5 else self._public_group()
        shown = self._shown()
        told = self.standing.get(next((p.text for p in pairs if p.text in self.standing), ""))
        if not told or not any(shown):  # what it lacks must not tell that a text doesn't answer
            return pairs
        known = [p for p in pairs if p.text not in self.bare]
        return [replace(p, context=_context(self.standing.get(p.text, told), shown)) for p in known]

    def _shown(self) -> tuple[bool, bool]:
        """Whether a title is shown before a text, and what else stands there."""
        return self.draw.random() < 0.7, self.draw.random() < 0.6

    def _public_group(self) -> list[Pair]:
        chance = self.draw.random()
        question = self._next(self.squad2 if chance < 0.5 else self.squad1 if chance < 0.84 else self.selqa)
        pairs = []
        others = [i for i in range(len(question.sentences)) if i not in question.gold]
        if question.gold:
            pick = self.draw.randrange(len(question.gold))
            gold = question.sentences[question.gold[pick]]
            pairs += self._near_misses(question, gold, question.spans[pick] if question.spans else None)
        elif question.plausible is not None:
            pairs.append(Pair(question.text, question.sentences[question.plausible], False))
            others.remove(question.plausible)
        picked = self.draw.sample(others, min(1 + (self.draw.random() < 0.5), len(others)))
        pairs += [Pair(pairs[0].question if pairs else question.text, question.sentences[i], False) for i in picked]
        wanted = max(2, 6 - len(pairs)) if question.gold else 1
        return pairs + [Pair(question.text, text, False) for text in self._mined(question.text, question, wanted)]

    def _written_group(self) -> list[Pair]:
        """A question of ours with its sentence, that sentence asked something else, and sentences that don't answer."""
        passage, ask = self._next(self.asks)
        plain, *other = ask.words
        asked = self.draw.choice(other) if other and self.draw.random() < 0.75 else plain
        text = passage.sentences[ask.sentence]
        pairs = [Pair(asked, text, True, ask.span)]
        near = [words for sentence, words in passage.open if sentence == ask.sentence]
        if not near or self.draw.random() < 0.3:
            near += [words for _, words in passage.open]
        else:
            near += [self.draw.choice(a.words) for a in passage.asks if a.sentence != ask.sentence][:1]
        pairs += [Pair(words, text, False) for words in self.draw.sample(near, min(2, len(near)))]
        others = [s for i, s in enumerate(passage.sentences) if i != ask.sentence]
        pairs += [Pair(asked, s, False) for s in self.draw.sample(others, min(2, len(others)))]
        pairs += [Pair(asked, s, False) for s in self._mined(asked, passage, 3)]
        return pairs + [Pair(words, s, False) for words in near[:1] for s in self._mined(words, passage, 1)]

    def _mined(self, question: str, own: Question | Written, most: int) -> list[str]:
        """Some of the sentences that the search would bring for a question, of other passages than its own."""
        if question not in self.near:
            found = self.lexicon.matching(question.replace('"', " "), 8)
            far = [text for text in (self.pool[n] for n, _ in found) if text not in own.sentences]
        else:
            far = list(self.near[question])
        return self.draw.sample(far, min(most, len(far)))

    def _next(self, among: list[T]) -> T:
        """One of those after the other, in an order drawn anew whenever all were there."""
        queue: list[T] = self._queues.setdefault(id(among), [])
        if not queue:
            queue.extend(among)
            self.draw.shuffle(queue)
        return queue.pop()

    def _near_misses(self, question: Question, gold: str, span: tuple[int, int] | None) -> list[Pair]:
        """The question with its sentence, and one of the two with a thing changed, so that they don't meet any more.

        At times both are changed alike, and meet: that a word looks odd must not tell.
        """
        pairs = [Pair(question.text, gold, True, span)]
        chance = self.draw.random()
        if chance < 0.3:
            altered = self._altered_question(question, gold)
            return [*pairs, Pair(altered, gold, False)] if altered else pairs
        swapped = swap(question.text, gold, self.like, self.draw) if chance < 0.9 else None
        if not swapped:
            return pairs
        asked, said, _ = swapped
        if chance < 0.6:
            return [*pairs, Pair(asked, gold, False)]
        if chance < 0.75:
            return [*pairs, Pair(question.text, said, False)]
        return [Pair(asked, said, True), Pair(asked, gold, False), Pair(question.text, said, False)]

    def _altered_question(self, question: Question, gold: str) -> str | None:
        """The question with one thing changed that its answering sentence says too, so that it answers no more."""
        kinds: list[Kind] = ["number", "date", "name", "direction"]
        self.draw.shuffle(kinds)
        said = {word.text for word in words(gold)}
        for kind in kinds:
            if kind == "name" and not question.cased:
                continue
            text = alter(question.text, kind, self.data.names.get(question.article) or self.all_names, self.draw)
            if text is None:
                continue
            gone = {w.text for w in words(question.text)} - {w.text for w in words(text)}
            if kind == "direction" or gone <= said:
                return text
        return None

    def claim(self) -> Claim:
        """A statement and a text that supports it, contradicts it, or does neither."""
        if self.retold and self.draw.random() < 0.4:
            claim = self._next(self.retold)
            if self.draw.random() < 0.25:  # among other words
                return replace(claim, text=_beside_another(claim.text, self.pool, self.draw), context="")
            return replace(claim, context=_context(self.standing.get(claim.text, ("", "")), self._shown()))
        chance = self.draw.random()
        if chance < 0.22:
            claim = self.draw.choice(self.fm2)
            if self.draw.random() < 0.1:
                return Claim(claim.statement, self.draw.choice(self.fm2).text, NEITHER)
            return claim
        if chance < 0.47:
            return self._from_question()
        if chance < 0.55:
            return self._swapped_claim()
        return altered_claim(self._sentence(), self.data.names, self.draw, self.pool, self.lexicon)

    def _sentence(self) -> tuple[str, str]:
        """A sentence of the training data, and its article."""
        while True:
            chance = self.draw.random()
            question = self.draw.choice(self.squad2 if chance < 0.35 else self.squad1 if chance < 0.6 else self.selqa)
            text = self.draw.choice(question.sentences[:1] if not question.cased else question.sentences)
            if 40 < len(text) < 350:
                return text, question.article

    def _from_question(self) -> Claim:
        while True:
            question = self.draw.choice(self.squad2 if self.draw.random() < 0.6 else self.told or self.squad2)
            if question.gold and question.spans:
                gold = question.sentences[question.gold[0]]
                a, b = question.spans[0]
                answer = gold[a:b]
                if self.draw.random() < 0.55:
                    return Claim(statement(question.text, answer), gold, SUPPORTS)
                kinds: list[Kind] = ["number", "date", "name"]
                for kind in self.draw.sample(kinds, 3):
                    wrong = alter(f"x {answer}", kind, self.data.names.get(question.article) or (), self.draw)
                    if wrong:
                        return Claim(statement(question.text, wrong[2:]), gold, CONTRADICTS)
                altered = self._altered_question(question, gold)
                if altered:
                    return Claim(statement(altered, answer), gold, CONTRADICTS)
            elif question.plausible is not None and self.draw.random() < 0.5:
                text = question.sentences[question.plausible]
                return Claim(statement(question.text, question.plausible_text), text, _NOT_TOLD)

    def _swapped_claim(self) -> Claim:
        """A sentence told with one word put for another of its kind, in the statement alone or in its text too."""
        text, _ = self._sentence()
        swapped = swap(retold(text, self.draw), text, self.like, self.draw)
        if not swapped:
            return Claim(retold(text, self.draw), text, SUPPORTS)
        statement, said, _ = swapped
        return Claim(statement, said, SUPPORTS) if self.draw.random() < 0.35 else Claim(statement, text, _NOT_TOLD)


_ASKED = re.compile(
    r"\b(?:(?:in|on|at|to|from|by|for|of|with|during|since)\s+)?"
    r"(?:what (?:year|date|day|month|century|percentage of|kind of|type of|name)|how many|how much|"
    r"which|whose|what|whom|who|when|where)\b",
    re.IGNORECASE,
)
_DID = re.compile(r"^\s*(?:did|does|do)\b", re.IGNORECASE)


def statement(question: str, answer: str) -> str:
    """A question and its answer as one statement, roughly: the answer in the place of the question word."""
    text = question.strip().rstrip("?").strip()
    match = _ASKED.search(text)
    if match is None:
        return f"{text}: {answer}"
    before, after = text[: match.start()].strip(), text[match.end() :].strip()
    if (
        re.match(r"(?:when|where|how many times|in what|on what|what (?:year|date|day))", match.group(), re.IGNORECASE)
        and not before
    ):
        verb = re.match(r"(is|are|was|were|did|does|do|has|have|had)\s+(.*)", after, re.IGNORECASE)
        if verb:
            rest = verb[2] if verb[1].lower() in ("did", "does", "do") else f"{verb[2]} ({verb[1]})"
            return f"{rest} {answer}"
    after = _DID.sub("", after).strip()
    return " ".join(part for part in (before, answer, after) if part)


def _beside_another(text: str, pool: Sequence[str], draw: random.Random) -> str:
    """A text with one of the pool before or after it."""
    other = draw.choice(pool)
    return f"{text} {other}" if draw.random() < 0.5 else f"{other} {text}"


def altered_claim(
    sentence: tuple[str, str], names: dict[str, list[str]], draw: random.Random, pool: Sequence[str], lexicon: Lexicon
) -> Claim:
    """A statement made from a true sentence, told in part or altered, against that sentence or another."""
    text, article = sentence
    evidence = text
    if draw.random() < 0.25:
        evidence = _beside_another(text, pool, draw)
    told = retold(text, draw)
    chance = draw.random()
    if chance < 0.36:
        return Claim(told, evidence, SUPPORTS)
    if chance < 0.5:
        near = [pool[n] for n, _ in lexicon.matching(told.replace('"', " "), 6) if pool[n] != text]
        if near:
            return Claim(told, draw.choice(near), NEITHER)
    for kind in sorted(
        KINDS, key=lambda kind: draw.random() * (1.6 if kind in ("number", "date", "direction") else 1.0)
    ):
        altered = alter(told, kind, names.get(article) or (), draw)
        if altered and altered.lower() != told.lower():
            return Claim(altered, evidence, CONTRADICTS)
    return Claim(told, evidence, SUPPORTS)


def retold(text: str, draw: random.Random) -> str:
    """The same in part or in another order: parentheses and clauses dropped, a leading phrase put last."""
    out = text
    if draw.random() < 0.5:
        out = re.sub(r"\s*[(\[][^)\]]*[)\]]", "", out)
    parts = re.split(r",\s+|;\s+|\s+[–—]\s+", out.rstrip(". "))
    if len(parts) > 1 and draw.random() < 0.6:
        kept = max(range(len(parts)), key=lambda i: len(parts[i]))
        if len(parts[kept]) > 35 and draw.random() < 0.6:
            out = parts[kept]
        elif len(parts) == 2:
            out = f"{parts[1]}, {parts[0]}"
    if draw.random() < 0.2:
        out = re.sub(r"\b(the|a|an|also|however|very|then)\s+", "", out, count=2, flags=re.IGNORECASE)
    if draw.random() < 0.2:
        out = re.sub(r"(\d{1,3}),(\d{3})", r"\1\2", out)
    out = out.strip()
    return (out[:1].upper() + out[1:] + ("" if out.endswith((".", "!", "?")) else ".")) if out else text
