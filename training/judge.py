"""Train the judge: `python -m training.judge --data FOLDER --out FOLDER`, resumable, on a GPU if there is one.

One network from the trunk the encoder has too (all-MiniLM-L6-v2), which reads a question or a statement together with a
text, and three linear heads: does the text answer, where, and does it support, contradict or neither. Its word
embeddings stay as they are. What is kept is an exponential average of the weights (Polyak), at the step that is best on
the development articles.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from evals.measures import auc, gold_answers, normalised
from qa.encoder import find_model
from qa.judge import span_chances
from qa.settings import BUNDLED_MODEL
from qa.words import FUNCTION_WORDS, words
from training.alter import like_words
from training.examples import (
    WRITTEN,
    Claim,
    Data,
    Examples,
    Pair,
    Question,
    altered_claim,
    beside,
    pool,
    read_data,
    some,
)
from training.mining import mine

MAX_TOKENS = 160
GROUPS, CLAIMS = 9, 20  # a step's questions, with eight or so texts each, and its statements
SOUGHT = 250  # development questions in other words whose sentence is sought among others
LOOKED_AT = 1_200  # development questions in other words that are asked at each look
PARTS = (0.4, 0.7, 0.9)  # where a step's texts, sorted by length, are parted into batches
AVERAGED = 0.997
WARM, COOL = 0.02, 0.35  # shares of the steps in which the rate rises, and in which it falls


class Dropout(nn.Module):
    """Dropout by a random byte an element; torch's own on a CPU took a quarter of each step."""

    _THRESHOLD = 26  # of 256: a tenth

    def __init__(self) -> None:
        super().__init__()
        self.draw = np.random.default_rng(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        if x.is_cuda:
            return functional.dropout(x, self._THRESHOLD / 256)
        drawn = np.frombuffer(bytearray(self.draw.bytes(x.numel())), dtype=np.uint8)
        kept = torch.from_numpy(drawn >= self._THRESHOLD).view(x.shape)
        return x * (kept.to(x.dtype) * (256 / (256 - self._THRESHOLD)))


class Network(nn.Module):
    """The trunk and its heads; every output is of logits."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import AutoModel

        self.trunk = AutoModel.from_pretrained(
            str(find_model(BUNDLED_MODEL)), attn_implementation="eager", attention_probs_dropout_prob=0.0
        )
        for module in list(self.trunk.modules()):
            for name, part in module.named_children():
                if isinstance(part, nn.Dropout) and part.p:
                    setattr(module, name, Dropout())
        self.trunk.embeddings.word_embeddings.weight.requires_grad_(False)
        width = self.trunk.config.hidden_size
        self.answers, self.claim, self.span = nn.Linear(2 * width, 1), nn.Linear(2 * width, 3), nn.Linear(width, 2)

    def seed(self, *numbers: int) -> None:
        """Start the dropout's randomness anew."""
        for number, part in enumerate(part for part in self.modules() if isinstance(part, Dropout)):
            part.draw = np.random.default_rng((*numbers, number))

    def forward(self, input_ids: Any, token_type_ids: Any, attention_mask: Any = None) -> tuple[Any, Any, Any]:
        """Answers (n), span (n, tokens, 2: first and last token), claim (n, 3: supports, contradicts, neither).

        Without a mask, which is a quicker network, all tokens count.
        """
        states = self.trunk(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state.float()
        if attention_mask is None:
            mean = states.mean(1)
        else:
            mask = attention_mask.unsqueeze(-1).float()
            mean = (states * mask).sum(1) / mask.sum(1)
        pooled = torch.cat([states[:, 0], mean], dim=-1)
        return self.answers(pooled).squeeze(-1), self.span(states), self.claim(pooled)


def weights_in(path: Path) -> dict[str, torch.Tensor]:
    """The weights in a best.pt, or those of a shipped judge.onnx, which are as fine as int8 is."""
    if path.suffix != ".onnx":
        loaded: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        return loaded
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    stored = {one.name: numpy_helper.to_array(one) for one in graph.initializer}

    def full(name: str) -> np.ndarray:
        values, zero, scale = (stored[name + end] for end in ("_quantized", "_zero_point", "_scale"))
        return (values.astype(np.float32) - zero) * scale

    out = {name: values for name, values in stored.items() if name.endswith(("weight", "bias"))}
    for node in graph.node:
        if node.op_type == "MatMulInteger":  # x @ W.T, named by its module: /trunk/encoder/…/dense/MatMul_quant
            module = node.name.strip("/").rpartition("/")[0].replace("/", ".")
            out[f"{module}.weight"] = full(node.input[1].removesuffix("_quantized")).T
    for name in stored:
        if name.endswith(".weight_quantized"):
            out[name.removesuffix("_quantized")] = full(name.removesuffix("_quantized"))
    return {name: torch.tensor(np.ascontiguousarray(values)) for name, values in out.items()}


def tokenizer() -> Tokenizer:
    made = Tokenizer.from_file(str(find_model(BUNDLED_MODEL) / "tokenizer.json"))
    made.no_padding()
    made.enable_truncation(MAX_TOKENS, strategy="only_second")
    return made


def collate(read: Sequence[Any], device: str) -> dict[str, torch.Tensor]:
    """Padded inputs of some tokenised pairs."""
    width = -(-max(len(r.ids) for r in read) // 8) * 8  # few shapes, so that memory is used again
    out = {
        n: torch.zeros((len(read), width), dtype=torch.long) for n in ("input_ids", "attention_mask", "token_type_ids")
    }
    for row, r in enumerate(read):
        size = len(r.ids)
        out["input_ids"][row, :size] = torch.tensor(r.ids)
        out["token_type_ids"][row, :size] = torch.tensor(r.type_ids)
        out["attention_mask"][row, :size] = 1
    return {name: tensor.to(device) for name, tensor in out.items()}


def token_span(read: Any, span: tuple[int, int]) -> tuple[int, int] | None:
    """First and last token of a range of the text's code points, or None where it was cut off."""
    own = [i for i, (s, (a, b)) in enumerate(zip(read.sequence_ids, read.offsets, strict=True))
           if s == 1 and a < span[1] and span[0] < b]  # fmt: skip
    return (own[0], own[-1]) if own else None


def loss_of(network: Network, tok: Tokenizer, groups: list[list[Pair]], claims: list[Claim], device: str) -> Any:
    """The step's loss: answers (pointwise and within each group), spans, claims. Texts of like length run together."""
    pairs = [pair for group in groups for pair in group]
    read = [tok.encode(beside(p.question, p.context), p.text) for p in pairs]
    read += [tok.encode(beside(c.statement, c.context), c.text) for c in claims]
    order = sorted(range(len(read)), key=lambda i: len(read[i].ids))
    cuts = [0, *(round(len(order) * share) for share in PARTS), len(order)]
    answers: dict[int, Any] = {}
    span_losses, claim_losses = [], []
    for part in (order[a:b] for a, b in pairwise(cuts) if a < b):
        answer, span, claim = network(**collate([read[i] for i in part], device))
        for row, i in enumerate(part):
            if i >= len(pairs):
                target = torch.tensor(claims[i - len(pairs)].label, device=device)
                claim_losses.append(-(target * functional.log_softmax(claim[row], dim=-1)).sum())
                continue
            answers[i] = answer[row]
            where = pairs[i].span
            at = token_span(read[i], where) if where else None
            if at:
                size = len(read[i].ids)
                own = torch.tensor([s == 1 for s in read[i].sequence_ids], device=device)
                logits = span[row, :size].masked_fill(~own.unsqueeze(-1), -1e4)
                span_losses.append(functional.cross_entropy(logits.T, torch.tensor(at, device=device)))
    logits = torch.stack([answers[i] for i in range(len(pairs))])
    target = torch.tensor([float(p.answers) for p in pairs], device=device)
    loss = functional.binary_cross_entropy_with_logits(logits, target)
    at, listwise = 0, []
    for group in groups:
        if group[0].answers and len(group) > 1:
            listwise.append(-functional.log_softmax(logits[at : at + len(group)], dim=0)[0])
        at += len(group)
    parts = {"answers": loss, "list": torch.stack(listwise).mean() if listwise else loss * 0,
             "span": torch.stack(span_losses).mean() if span_losses else loss * 0,
             "claim": torch.stack(claim_losses).mean() if claim_losses else loss * 0}  # fmt: skip
    weights = {"answers": 1.0, "list": 0.5, "span": 0.3, "claim": 1.0}
    return sum(weights[n] * v for n, v in parts.items()), {n: float(v.detach()) for n, v in parts.items()}


# --- development figures


@torch.no_grad()
def predict(
    network: Network, tok: Tokenizer, pairs: Sequence[tuple[str, str]], device: str
) -> list[tuple[float, tuple[int, int], Any]]:
    """For each pair: the answers logit, the best span in code points of the text, the claim's probabilities."""
    network.eval()
    read = [tok.encode(a, b) for a, b in pairs]
    order = sorted(range(len(read)), key=lambda i: len(read[i].ids))
    out: list[Any] = [None] * len(read)
    for at in range(0, len(order), 64):
        part = order[at : at + 64]
        with torch.autocast(device, dtype=torch.bfloat16):
            answer, span, claim = network(**collate([read[i] for i in part], device))
        for row, i in enumerate(part):
            size = len(read[i].ids)
            own = np.array([s == 1 for s in read[i].sequence_ids])
            first, last = divmod(int(span_chances(span[row, :size].float().cpu().numpy(), own).argmax()), size)
            offsets = read[i].offsets
            out[i] = (
                float(answer[row]),
                (offsets[first][0], offsets[last][1]),
                functional.softmax(claim[row].float(), -1).cpu().numpy(),
            )
    network.train()
    return out


def figures(
    network: Network, tok: Tokenizer, questions: Sequence[Question], claims: Sequence[Claim], device: str
) -> dict[str, float]:
    """What the judge gets right of questions asked of their own paragraphs, and of statements."""
    pairs = [(q.text, s) for q in questions for s in q.sentences]
    told = iter(predict(network, tok, pairs, device))
    answerable, silent, top, exact = [], [], [], []
    for question in questions:
        mine = [next(told) for _ in question.sentences]
        best = max(range(len(mine)), key=lambda i: mine[i][0])
        (answerable if question.gold else silent).append(mine[best][0])
        if question.gold:
            top.append(best in question.gold)
            if question.spans:
                a, b = mine[best][1]
                golds = gold_answers(question)
                exact.append(normalised(question.sentences[best][a:b]) in golds)
    out = {"auc": auc(answerable, silent), "top": float(np.mean(top)), "exact": float(np.mean(exact or [0]))}
    weighed = predict(network, tok, [(c.statement, c.text) for c in claims], device)
    right = [
        int(np.argmax(c.label)) == int(np.argmax(p[2][:2] if c.label[2] == 0 else p[2]))
        for c, p in zip(claims, weighed, strict=True)
    ]
    return out | {"claims": float(np.mean(right))}


def found_among(
    network: Network,
    tok: Tokenizer,
    questions: Sequence[Question],
    near: Mapping[str, Sequence[str]],
    device: str,
) -> float:
    """The share of questions whose sentence is put before all that the search brings from other passages."""
    texts = [[q.sentences[q.gold[0]], *near[q.text]] for q in questions]
    pairs = [(q.text, t) for q, several in zip(questions, texts, strict=True) for t in several]
    told = iter(predict(network, tok, pairs, device))
    first = []
    for several in texts:
        logits = [next(told)[0] for _ in several]
        first.append(logits[0] >= max(logits))
    return float(np.mean(first))


def balance(found: dict[str, float]) -> float:
    """The one figure of several that a step is judged by."""
    return found["auc"] + found["top"] / 2 + found["exact"] / 2 + found["claims"]


# --- training


def train(
    data: Data, out: Path, steps: int, seed: int, rate: float, every: int, device: str, first: Path | None = None
) -> None:
    """Train for some steps, from the last checkpoint in `out` if there is one, else from the weights in `first` or the
    trunk's; leaves best.pt, log.jsonl.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    network, tok = Network().to(device), tokenizer()
    if first:
        missing, unknown = network.load_state_dict(weights_in(first), strict=False)
        if untold := [name for name in (*missing, *unknown) if "pooler" not in name]:
            raise ValueError(f"{first} isn't a judge of this shape: {', '.join(untold)}")
    average = {n: p.detach().clone() for n, p in network.named_parameters() if p.requires_grad}
    asked = [*data.questions["train"], *data.written_questions("train")]
    near = mine(asked, pool(data, "train"), out / "mined.json")
    examples = Examples(data, seed, like_words_of(data, network, tok), near)
    decay = [p for n, p in network.named_parameters() if p.requires_grad and p.dim() > 1]
    flat = [p for n, p in network.named_parameters() if p.requires_grad and p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.01}, {"params": flat, "weight_decay": 0.0}], lr=rate
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share_of_rate(step / steps))
    done, best = 0, -1.0
    checkpoint = out / "last.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        average, done, best = saved["average"], saved["step"], saved["best"]
        examples.draw.setstate(saved["draw"])
        torch.set_rng_state(saved["torch"].cpu())
    claims = development_claims(data, examples)
    questions = data.questions["development"]
    retold, own_words = data.written_claims("development"), data.written_questions("development")
    own_words = some(own_words, LOOKED_AT, 7)
    sought = some([q for q in own_words if q.gold], SOUGHT, 7)
    texts = [*pool(data, "train"), *pool(data, "development")]
    rivals = mine(sought, texts, out / "mined-development.json")
    running: dict[str, float] = {}
    began = time.time()
    network.train()
    numbers = range(done + 1, steps + 1)
    for step in tqdm(numbers, initial=done, total=steps, desc="training", unit="step", mininterval=5):
        network.seed(seed, step)
        groups = [g for g in (examples.group() for _ in range(GROUPS)) if g]
        with torch.autocast(device, dtype=torch.bfloat16):
            loss, parts = loss_of(network, tok, groups, [examples.claim() for _ in range(CLAIMS)], device)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        keep = min(AVERAGED, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name in average:
                    average[name].lerp_(parameter, 1 - keep)
        for name, value in parts.items():
            running[name] = 0.98 * running.get(name, value) + 0.02 * value
        if step % every and step != steps:
            continue
        own = {n: p.detach().clone() for n, p in network.named_parameters() if n in average}
        network.load_state_dict(average, strict=False)
        found = figures(network, tok, questions, claims, device)
        score = balance(found)
        if own_words:
            told = figures(network, tok, own_words, retold, device)
            told["found"] = found_among(network, tok, sought, rivals, device)
            score += balance(told) + told["found"]
            found |= {f"written_{name}": value for name, value in told.items()}
        row = {
            "step": step,
            "seconds": round(time.time() - began),
            "rate": schedule.get_last_lr()[0],
            **running,
            **found,
            "score": score,
        }
        with (out / "log.jsonl").open("a") as log:
            log.write(json.dumps({k: round(v, 6) for k, v in row.items()}) + "\n")
        if score > best:
            best = score
            save(network.state_dict(), out / "best.pt")
        network.load_state_dict(own, strict=False)
        save({"network": network.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(),
              "average": average, "step": step, "best": best, "draw": examples.draw.getstate(),
              "torch": torch.get_rng_state()}, checkpoint)  # fmt: skip


def share_of_rate(done: float) -> float:
    """The learning rate's share when that share of the steps is done: up, level, then down by 1 - √.

    Hägele et al., "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", 2024: being level, it
    lets the number of steps be changed when a run is taken up again.
    """
    if done < WARM:
        return (done + 1e-3) / WARM
    left = max(0.0, min(1.0, (1 - done) / COOL))
    return max(0.01, 1 - math.sqrt(1 - left))


def like_words_of(data: Data, network: Network, tok: Tokenizer) -> dict[str, tuple[str, ...]]:
    """Words of the training data, each with those of its kind by the trunk's own word embeddings."""
    seen = Counter(
        word.text
        for question in data.questions["train"]
        for text in (question.text, *question.sentences[:1])
        for word in words(text)
    )
    vocabulary = sorted(
        word
        for word, count in seen.items()
        if count >= 8 and len(word) > 3 and word.isalpha() and word not in FUNCTION_WORDS
        and tok.token_to_id(word) is not None
    )  # fmt: skip
    table = network.trunk.embeddings.word_embeddings.weight.detach().float().cpu().numpy()
    return like_words(vocabulary, table[[tok.token_to_id(word) for word in vocabulary]]) if vocabulary else {}


def development_claims(data: Any, examples: Examples) -> list[Claim]:
    """Statements of the development pages, and others made from the development articles' sentences."""
    draw = random.Random(7)
    made = [
        altered_claim((draw.choice(q.sentences), q.article), data.names, draw, examples.pool, examples.lexicon)
        for q in draw.sample(data.questions["development"], min(300, len(data.questions["development"])))
    ]
    return data.claims["development"] + made


def save(what: Any, path: Path) -> None:
    """Write beside and rename, so that a killed training leaves a whole file."""
    beside = path.with_suffix(".new")
    torch.save(what, beside)
    beside.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of public data")
    parser.add_argument("--out", type=Path, required=True, help="checkpoints and log; a second call goes on from there")
    parser.add_argument(
        "--from", dest="first", type=Path, metavar="FILE", help="begin with the weights of a best.pt or a judge.onnx"
    )
    parser.add_argument("--written", type=Path, default=WRITTEN, help="what was written about the public data")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--every", type=int, default=400, help="steps between looks at the development data")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train(
        read_data(args.data, args.written), args.out, args.steps, args.seed, args.rate, args.every, device, args.first
    )


if __name__ == "__main__":
    main()
