"""Ship a trained judge: `python -m training.export --data FOLDER --from FOLDER` writes qa/weights/ anew.

The network becomes int8 ONNX (a scale a channel). The probabilities are calibrated on the development articles and
passages: a logistic curve for `answers` (Platt 1999), a temperature for the claim (Guo et al. 2017).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from evals.retrieval import load_pyplot, save_figure
from qa.encoder import find_model, quantize
from qa.judge import FILES, WEIGHTS, Judge
from qa.settings import BUNDLED_MODEL
from training.examples import Examples, read_data, some
from training.judge import Network, development_claims

READS = 192  # tokens of question and text together
_WRITTEN = 1_500  # questions on development passages that the probabilities are calibrated on, drawn from them all


def export(network: Network, folder: Path) -> None:
    """Write the network as `judge.onnx`, int8, and its tokenizer."""
    example = torch.ones((2, 8), dtype=torch.long)
    names = ["input_ids", "token_type_ids"]
    axes = {name: {0: "batch", 1: "token"} for name in (*names, "span")} | {
        n: {0: "batch"} for n in ("answers", "claim")
    }
    with tempfile.TemporaryDirectory() as work, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        plain = Path(work) / "fp32.onnx"
        torch.onnx.export(
            network.eval(), (example, example), str(plain), input_names=names,
            output_names=["answers", "span", "claim"], dynamic_axes=axes, opset_version=17, dynamo=False,
        )  # fmt: skip
        quantize(plain, folder / "judge.onnx")
    tokenizer = Tokenizer.from_file(str(find_model(BUNDLED_MODEL) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / "tokenizer.json"))


def write_spec(folder: Path, answers: tuple[float, float], claim: float) -> None:
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    spec = {"sha256": digests, "max_tokens": READS, "calibration": {"answers": list(answers), "claim": claim}}
    (folder / "judge.json").write_text(json.dumps(spec, indent=2) + "\n")


def logistic(scores: np.ndarray, truths: np.ndarray) -> tuple[float, float]:
    """Slope and shift of the logistic curve through scores and what came true, by Newton's method from a flat curve.

    From a steep one the first step can be beyond all bounds.
    """
    x = np.stack([scores, np.ones_like(scores)], axis=1)
    w = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        w -= np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(2), x.T @ (p - truths))
    return float(round(w[0], 5)), float(round(w[1], 5))


def calibrate(folder: Path, data_folder: Path) -> None:
    """Fit the probabilities on the development articles, passages and statements."""
    data = read_data(data_folder)
    write_spec(folder, (1.0, 0.0), 1.0)
    judge = Judge(folder)
    scores, truths = [], []
    own = data.written_questions("development")
    for question in [*data.questions["development"], *some(own, _WRITTEN, 1)]:
        p = max(reading.answers for reading in judge.read(question.text, question.sentences))
        scores.append(np.log(p / (1 - p)))
        truths.append(bool(question.gold))
    claims = [*development_claims(data, Examples(data, 1)), *data.written_claims("development")]
    told = [judge.weigh([(one.statement, one.text)])[0] for one in claims]
    logs = np.log([[max(x, 1e-9) for x in (c.supports, c.contradicts, c.neither)] for c in told])
    labels = np.array([one.label for one in claims])

    def loss(temperature: float) -> float:
        z = logs / temperature
        return float(-(labels * (z - np.log(np.exp(z).sum(axis=1, keepdims=True)))).sum())

    temperature = min(np.arange(0.5, 4.01, 0.05), key=loss)
    write_spec(folder, logistic(np.array(scores), np.array(truths, dtype=float)), round(float(temperature), 3))


def draw(log: Path, path: Path) -> None:
    """The learning curve: what the development data said at each look."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    pyplot = load_pyplot()
    figure, axes = pyplot.subplots(figsize=(6, 4))
    names = {"auc": "answerable told from not (AUC)", "top": "gold answer in the top sentence",
             "exact": "exact span", "claims": "statements right"}  # fmt: skip
    for number, (name, label) in enumerate(names.items()):
        for prefix, line in (("", "o-"), ("written_", "o:")):
            seen = [(r["step"], r[prefix + name]) for r in rows if prefix + name in r]
            if seen:
                said = label + (", in other words" if prefix else "")
                axes.plot(*zip(*seen, strict=True), line, color=f"C{number}", label=said)
    axes.set(xlabel="step", title="The judge on its development data")
    axes.legend(frameon=False)
    save_figure(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--from", dest="trained", type=Path, required=True, help="what training.judge left")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--plot", type=Path, help="draw the learning curve, as .png or .svg")
    args = parser.parse_args()
    if args.plot:
        draw(args.trained / "log.jsonl", args.plot)
    network = Network()
    network.load_state_dict(torch.load(args.trained / "best.pt", map_location="cpu", weights_only=True))
    args.out.mkdir(parents=True, exist_ok=True)
    export(network, args.out)
    calibrate(args.out, args.data)
    size = sum(path.stat().st_size for path in args.out.iterdir())
    print(f"{args.out}: {size / 2**20:.1f} MiB; {(args.out / 'judge.json').read_text()}")


if __name__ == "__main__":
    main()
