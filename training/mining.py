"""Hard negatives: sentences that the search would hand to the judge for a question, and that don't answer it.

A reader trained against other sentences than its retriever brings learns to tell what it will never be asked (Xiong et
al. 2021, "Approximate Nearest Neighbor Negative Contrastive Learning for Dense Text Retrieval"). What holds the words
of the answer is left out, as it may answer (Karpukhin et al. 2020, "Dense Passage Retrieval").
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
from tqdm import tqdm

from qa import tokens
from qa.encoder import Encoder, encode_passages, export, readable
from qa.network import Floats
from qa.settings import BUNDLED_MODEL
from qa.words import fold
from training.examples import Question

MINED = 12  # sentences kept a question
_NEAR = 60  # of which so many, by vector, are compared token by token
_LATE = 0.7  # late interaction's share of the score, the rest is the cosine's
_AT_ONCE = 256  # questions


def mine(questions: Sequence[Question], texts: Sequence[str], kept: Path | None = None) -> dict[str, list[str]]:
    """Of some texts, those nearest to each question that aren't of its own passage, the nearest first.

    What is found is written to `kept`, and read from there when questions and texts are the same.
    """
    mark = sha256(json.dumps([[q.text for q in questions], list(texts)]).encode()).hexdigest()
    if kept and kept.exists():
        stored = json.loads(kept.read_text(encoding="utf-8"))
        if stored["mark"] == mark:
            return {question: [texts[n] for n in numbers] for question, numbers in stored["near"].items()}
    with tempfile.TemporaryDirectory(prefix="mining-") as folder:
        near = _search(questions, texts, export(BUNDLED_MODEL, Path(folder)))
    if kept:
        kept.write_text(json.dumps({"mark": mark, "near": near}), encoding="utf-8")
    return {question: [texts[n] for n in numbers] for question, numbers in near.items()}


def _search(questions: Sequence[Question], texts: Sequence[str], encoder: Encoder) -> Mapping[str, list[int]]:
    matrix = tokens.rotation(encoder.spec.dimension)
    vectors = np.empty((len(texts), encoder.spec.dimension), dtype=np.float32)
    codes = []
    read = encode_passages(encoder, (readable(text, encoder) for text in texts))
    for number, encoding in enumerate(tqdm(read, total=len(texts), desc="reading sentences", mininterval=5)):
        vectors[number] = encoding.vector
        codes.append(tokens.compress(tokens.rotate(encoding.tokens, matrix)))

    def near(question: Question, vector: Floats, asked: Floats, candidates: Sequence[int]) -> list[int]:
        found = [n for n in candidates if texts[n] not in question.sentences and not _tells(question, texts[n])]
        if not found:
            return []
        similar = tokens.similarities([codes[n] for n in found], tokens.rotate(asked, matrix))
        late = [float(s.max(axis=0).mean()) if s.size else 0.0 for s in similar]
        scores = [_LATE * a + (1 - _LATE) * float(vectors[n] @ vector) for a, n in zip(late, found, strict=True)]
        return [found[i] for i in np.argsort(-np.array(scores), kind="stable")[:MINED]]

    out: dict[str, list[int]] = {}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for first in tqdm(range(0, len(questions), _AT_ONCE), desc="mining", mininterval=5):
            part = questions[first : first + _AT_ONCE]
            asked = list(pool.map(lambda q: encoder.encode(q.text, "question"), part))
            products = np.array([one.vector for one in asked]) @ vectors.T
            best = np.argpartition(-products, min(_NEAR, len(texts) - 1), axis=1)[:, :_NEAR]
            for question, numbers in zip(
                part,
                pool.map(
                    lambda row: near(row[0], row[1].vector, row[1].tokens, sorted(row[2].tolist())),
                    zip(part, asked, best, strict=True),
                ),
                strict=True,
            ):
                out[question.text] = numbers
    return out


def _tells(question: Question, text: str) -> bool:
    """Whether a text has the words of the question's answer."""
    said = _plain(text)
    return any(
        f" {_plain(question.sentences[n][a:b])} " in f" {said} "
        for n, (a, b) in zip(question.gold, question.spans, strict=False)
    )


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", fold(text)))
