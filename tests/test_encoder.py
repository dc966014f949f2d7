"""Any sentence-transformers model → ONNX → vectors; tried on tiny random models, and on the bundled one."""

from __future__ import annotations

import json
import logging
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qa import encoder as encoder_module
from qa.encoder import Encoder, encode_passages, export, find_model, fingerprint, model_name
from qa.errors import EncoderError, QueryError
from qa.generation import Generation
from qa.library import Library
from qa.network import Floats
from qa.search import check_question
from qa.settings import BUNDLED_MODEL, Settings
from tests.conftest import RealIndex

WORDS = ["the", "ship", "came", "in", "at", "dawn", "nobody", "saw", "it", "pilot", "lamp", "coal", ".", ",", ":", "?"]
TEXTS = [
    "The ship came in at dawn.",
    "Nobody saw it, nobody came.",
    "A pilot lit the lamp with coal?",
    "x",
    "",
    "ship " * 50,
]
ODD = ["日本国憲法" * 500, "y" * 10_000, "", " ", "\u200b", "ship " * 10_000]
SCRIPTS = "A 👩‍👩‍👧 family, cafe\u0301 and 日本国憲法 — naïve ﬁn. مرحبا\u200b!"


class Maker:
    """Makes tiny sentence-transformers models with random weights; what is not said is a plain mean-pooled one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = 0

    def __call__(
        self,
        pooling: str = "mean",
        width: int = 32,
        normalize: bool = True,
        dense: bool = False,
        reads: int | None = 64,
        config: dict[str, Any] | None = None,
        cased: bool = False,
    ) -> str:
        """The folder of a new model; `config` is merged into its config_sentence_transformers.json."""
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
        from transformers import BertConfig, BertModel, BertTokenizerFast

        torch.manual_seed(self.made)
        self.made += 1
        base, folder = self.folder / f"base{self.made}", self.folder / f"model{self.made}"
        base.mkdir()
        letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        tokens = [*special, *WORDS, "日", "本", *letters, *(f"##{c}" for c in letters)]
        (base / "vocab.txt").write_text("\n".join(tokens), encoding="utf-8")
        tokenizer = BertTokenizerFast(
            vocab=str(base / "vocab.txt"), do_lower_case=not cased, model_max_length=reads or 512
        )
        tokenizer.save_pretrained(base)
        shape = BertConfig(
            vocab_size=len(tokenizer), hidden_size=width, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=48, max_position_embeddings=512, hidden_act="gelu",
        )  # fmt: skip
        BertModel(shape).eval().save_pretrained(base)
        transformer = Transformer(str(base), max_seq_length=reads)
        parts: list[Any] = [transformer, Pooling(width, pooling)]
        if dense:
            parts.append(Dense(width, 16))
        if normalize:
            parts.append(Normalize())
        SentenceTransformer(modules=parts, device="cpu").save(str(folder))
        if config:
            path = folder / "config_sentence_transformers.json"
            path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
        return str(folder)


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    return Maker(tmp_path_factory.mktemp("models"))


def original(folder: str) -> Any:
    return encoder_module._load(Path(folder))


def exported(model: str, folder: Path) -> Encoder:
    folder.mkdir(exist_ok=True)
    return export(model, folder, [*TEXTS, *ODD])


def close(ours: Floats, theirs: Floats, least: float) -> bool:
    return bool(float(ours @ theirs) / float(np.linalg.norm(theirs)) >= least)


# --- tiny models -------------------------------------------------------------------------------------

PROMPTS = {"query": "the pilot saw: ", "document": "lamp: "}
VARIANTS: dict[str, dict[str, Any]] = {
    "mean": {},
    "cls, one prompt, kept at full precision": {"pooling": "cls", "config": {"prompts": {"query": "it: "}}},
    "max, 30 wide, not normalised": {"pooling": "max", "width": 30, "normalize": False},
    "cased, default prompt": {"cased": True, "config": {"prompts": {"a": "lamp: "}, "default_prompt_name": "a"}},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_exported_model_gives_the_original_s_vectors(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    arguments = VARIANTS[variant]
    if "full precision" in variant:
        monkeypatch.setattr(encoder_module, "_INT8_COSINE", 1.1)
    folder = maker(**arguments)
    encoder = exported(folder, tmp_path / "out")
    check_against_original(encoder, folder)
    assert encoder.spec.dimension == arguments.get("width", 32)
    assert encoder.spec.pooling == arguments.get("pooling", "mean")
    if "full precision" in variant:
        assert encoder.spec.precision == "fp32"


def check_against_original(encoder: Encoder, folder: str) -> None:
    """The encoder has the vectors of the model in `folder`, and tells what they are."""
    model = original(folder)
    spec = encoder.spec
    least = 0.9999 if spec.precision == "fp32" else 0.96
    assert (spec.max_tokens, spec.model, spec.fingerprint) == (64, Path(folder).name, fingerprint(Path(folder)))
    for text in TEXTS:
        for ours, theirs in (
            (encoder.encode(text, "passage"), model.encode_document(text)),
            (encoder.encode(text, "question"), model.encode_query(text)),
        ):
            assert close(ours.vector, theirs, least - 0.01), text
            assert np.linalg.norm(ours.vector) == pytest.approx(1, abs=1e-5)
            assert ours.vector.shape == (spec.dimension,) and ours.vector.dtype == np.float32
            assert ours.tokens.shape == (len(ours.starts), spec.dimension)
    told = json.loads((encoder.folder / "encoder.json").read_text())
    assert told["agreement"]["texts"] == len(TEXTS) + len(ODD) + 5
    assert told["agreement"]["cosine_min"] >= least
    assert {path.name for path in encoder.folder.iterdir()} == {"encoder.json", "tokenizer.json", "model.onnx"}
    assert Encoder(encoder.folder).spec == spec


@pytest.fixture(scope="module")
def tiny_folder(maker: Maker) -> str:
    return maker(width=30, config={"prompts": PROMPTS})


@pytest.fixture(scope="module")
def tiny(tiny_folder: str, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    level = logging.getLogger().level
    encoder = exported(tiny_folder, tmp_path_factory.mktemp("tiny"))
    assert logging.getLogger().level == level
    return encoder


def test_an_exported_model_has_the_original_s_prompts(tiny: Encoder, tiny_folder: str) -> None:
    check_against_original(tiny, tiny_folder)
    assert tiny.spec.prompts == {"question": PROMPTS["query"], "passage": PROMPTS["document"]}


def test_token_vectors_are_the_original_s_without_prompt_and_special_ones(tiny: Encoder, tiny_folder: str) -> None:
    text = "The ship came."
    theirs = original(tiny_folder).encode(text, prompt="lamp: ", output_value="token_embeddings").numpy()
    ours = tiny.encode(text, "passage")
    assert ours.starts.tolist() == [0, 4, 9, 13]
    assert len(theirs) == 1 + 2 + 4 + 1
    least = 0.999 if tiny.spec.precision == "fp32" else 0.9
    assert all(close(a, b, least) for a, b in zip(ours.tokens, theirs[3:-1], strict=True))


def test_a_passage_s_prompt_counts_among_its_tokens(tiny: Encoder) -> None:
    assert tiny.count("ship") == 5 and tiny.count("ship", "question") == 7
    assert len(tiny.encode("ship " * 60, "passage").starts) == 60
    with pytest.raises(EncoderError, match=r"65 tokens and .* reads 64"):
        tiny.encode("ship " * 61, "passage")
    tiny.encode("ship " * 58, "question")
    with pytest.raises(EncoderError, match=r"65 tokens"):
        tiny.encode("ship " * 59, "question")


def test_a_question_too_long_with_its_prompt_is_a_query_error(tiny: Encoder) -> None:
    check_question("ship " * 58, tiny)
    with pytest.raises(QueryError, match=r"65 tokens and the model reads 64"):
        check_question("ship " * 59, tiny)


def test_tokens_begin_where_they_stand_behind_a_prompt(tiny: Encoder) -> None:
    for role in ("passage", "question"):
        starts = tiny.encode(SCRIPTS, role).starts.tolist()
        assert starts == sorted(starts) and starts[0] == 0
        assert {"c", "日", "本", "n", "!"} <= {SCRIPTS[start] for start in starts}
        assert SCRIPTS.index("日") in starts and len(SCRIPTS) - 1 in starts


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"dense": True}, "made of Transformer, Pooling, Dense, Normalize; only"),
        ({"pooling": "weightedmean"}, "pools its tokens by 'weightedmean'; only mean, cls, max"),
        ({"pooling": "lasttoken"}, "pools its tokens by 'lasttoken'; only mean, cls, max"),
        ({"pooling": ("mean", "max")}, "pools its tokens by"),
        ({"reads": 8}, "reads 8 tokens of a text; at least 32"),
    ],
    ids=["dense", "weighted mean", "last token", "two poolings", "reads too little"],
)
def test_a_model_that_isnt_reproduced_is_refused_with_the_reason(
    maker: Maker, tmp_path: Path, arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises(EncoderError, match=told):
        exported(maker(**arguments), tmp_path / "out")


def test_a_model_that_leaves_its_prompt_out_is_refused(maker: Maker, tmp_path: Path) -> None:
    folder = Path(maker(config={"prompts": {"query": "it: ", "document": "lamp: "}}))
    path = next(folder.glob("1_*/config.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "include_prompt": False}))
    with pytest.raises(EncoderError, match=r"leaves its prompt out"):
        exported(str(folder), tmp_path / "out")


def test_weights_that_changed_on_the_way_are_noticed(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_module, "_pool", lambda states, pooling: encoder_module._unit(states[-1:])[0])
    with pytest.raises(EncoderError, match=r"disagrees with the original"):
        exported(maker(), tmp_path / "out")


def test_a_library_on_a_model_of_one_s_own(tiny_folder: str, tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    ship = "# Ships\n\n" + "The ship came in at dawn. " * 40
    texts = {"a.md": ship, "b.txt": "日本国憲法" * 100, "c.txt": "coal, coal."}
    for name, text in texts.items():
        (tmp_path / "sources" / name).write_text(text, encoding="utf-8")
    library = Library(Settings(tmp_path / "sources", tmp_path / "index", tiny_folder))
    done = library.index()
    assert done.encoded == done.passages > 10
    assert library.search('Who saw "coal"?').hits[0].citation.source == "c"
    assert not library.changes()
    assert library.index().encoded == 0
    (tmp_path / "sources" / "c.txt").write_text("coal, coal, lamp.", encoding="utf-8")
    assert library.index().encoded == 1
    before = library.search("Who saw coal?", 50)
    assert library.index(rebuild=True).encoded == done.passages
    again = Library(library.settings).search("Who saw coal?", 50)
    assert again.hits == before.hits
    other = Library(Settings(tmp_path / "sources", tmp_path / "index", BUNDLED_MODEL))
    assert other.changes().model and other.search("coal").index.stale


# --- models that aren't there ------------------------------------------------------------------------


def test_a_model_that_isnt_there_is_told_and_nothing_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(EncoderError, match=r"neither a folder nor in this machine's Hugging Face cache"):
        find_model("nobody/no-such-model-here")
    with pytest.raises(EncoderError, match=r"neither a folder"):
        find_model(str(tmp_path / "nowhere" / "at" / "all"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderError, match=r"has no modules\.json"):
        find_model(str(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("name", "called"),
    [
        (BUNDLED_MODEL, BUNDLED_MODEL),
        ("sentence-transformers/all-MiniLM-L6-v2", "all-MiniLM-L6-v2"),
        ("/models/mine/", "mine"),
        ("~/models/mine", "mine"),
        ("/models/other/../mine/.", "mine"),
    ],
)
def test_a_model_has_one_name_however_it_is_given(name: str, called: str) -> None:
    assert model_name(name) == called


def test_fingerprint_is_of_weights_vocabulary_and_configuration(maker: Maker, tmp_path: Path) -> None:
    one = Path(maker())
    other = tmp_path / "copy"
    shutil.copytree(one, other)
    (other / "README.md").write_text("another readme")
    (other / "onnx").mkdir()
    (other / "onnx" / "config.json").write_text("{}")
    assert fingerprint(other) == fingerprint(one)
    for name in ("tokenizer.json", "config.json", "model.safetensors", "modules.json"):
        data = (other / name).read_bytes()
        (other / name).write_bytes(data + b" ")
        assert fingerprint(other) != fingerprint(one), name
        (other / name).write_bytes(data)


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"spec": {}}', '{"spec": 3}', "\xff"])
def test_a_folder_without_an_encoder_of_ours(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "encoder.json").write_text(text, encoding="latin-1")
    with pytest.raises(EncoderError, match=r"holds no encoder of ours.*run `qa index`"):
        Encoder(tmp_path)


def test_saving_gives_the_same_encoder(tiny: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.save(tmp_path)
    assert Encoder(tmp_path).spec == tiny.spec
    assert np.array_equal(Encoder(tmp_path).encode("ship", "passage").vector, tiny.encode("ship", "passage").vector)
    (tmp_path / "copied").mkdir()

    def refuse(one: Path, other: Path) -> None:
        raise OSError(f"no links here from {one} to {other}")

    monkeypatch.setattr("os.link", refuse)
    Encoder(tmp_path).save(tmp_path / "copied")
    assert (tmp_path / "copied" / "model.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()


def test_passages_come_in_order_and_errors_come_through(tiny: Encoder) -> None:
    texts = [f"ship {'at ' * (n % 50)}" for n in range(150)]
    found = list(encode_passages(tiny, iter(texts)))
    assert all(
        np.array_equal(one.vector, tiny.encode(text, "passage").vector) for one, text in zip(found, texts, strict=True)
    )
    assert list(encode_passages(tiny, [])) == []
    with pytest.raises(EncoderError, match=r"tokens"):
        list(encode_passages(tiny, [*texts, "ship " * 99, *texts]))


# --- the bundled model -------------------------------------------------------------------------------

CORPUS = [
    "Approximately 54,000 U.S. military personnel man the facilities in Japan.",
    "The treaty was signed in San Francisco in 1951 and revised in 1960.",
    "日本国憲法第九条は戦争を放棄する。",
    "The grey tower of Skagen burns coal. Fishermen pay for it with dried cod.",
    SCRIPTS,
    "hub and spoke " * 30,
    "x",
]


@pytest.fixture(scope="module")
def bundled(real_index: RealIndex) -> Encoder:
    return Generation.open(real_index.index).encoder


def test_the_bundled_model_is_int8_and_near_the_original(bundled: Encoder) -> None:
    spec = bundled.spec
    assert (spec.model, spec.precision, spec.dimension) == (BUNDLED_MODEL, "int8", 384)
    assert (spec.max_tokens, spec.pooling, spec.prompts) == (256, "mean", {"question": "", "passage": ""})
    assert (bundled.folder / "model.onnx").stat().st_size < 30e6
    told = json.loads((bundled.folder / "encoder.json").read_text())["agreement"]
    assert told["cosine_min"] >= 0.96 and told["cosine_mean"] >= 0.98
    theirs = original(str(find_model(BUNDLED_MODEL))).encode(CORPUS)
    ours = [bundled.encode(text, "passage").vector for text in CORPUS]
    assert all(close(a, b, 0.96) for a, b in zip(ours, theirs, strict=True))


def test_a_vector_depends_on_its_text_alone_to_the_last_bit(bundled: Encoder) -> None:
    texts = [text * n for n in (1, 2) for text in CORPUS if bundled.count(text * n) <= 256]
    alone = {text: Encoder(bundled.folder).encode(text, "passage") for text in texts}
    shuffled = texts * 2
    random.Random(1).shuffle(shuffled)
    with ThreadPoolExecutor(8) as pool:
        asked = list(pool.map(lambda text: bundled.encode(text, "question"), shuffled))
    for text, *others in zip(shuffled, encode_passages(bundled, shuffled), asked, strict=True):
        for other in others:
            assert np.array_equal(other.vector, alone[text].vector)
            assert np.array_equal(other.tokens, alone[text].tokens)
            assert np.array_equal(other.starts, alone[text].starts)


def test_what_the_model_cant_read_whole_is_refused(bundled: Encoder) -> None:
    assert bundled.count("ship " * 254) == 256
    assert len(bundled.encode("ship " * 254, "passage").starts) == 254
    assert bundled.count("ship " * 255) == 257
    with pytest.raises(EncoderError, match=f"257 tokens and {BUNDLED_MODEL} reads 256"):
        bundled.encode("ship " * 255, "passage")


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("", []),
        ("Ship", [0]),
        ("  The  ship!", [2, 7, 11]),
        ("日本国", [0, 1, 2]),
        ("👩‍👩‍👧 ship", [0, 6]),
        ("ship 👍🏽 dawn", [0, 5, 8]),
        ("cafe\u0301 dawn", [0, 6]),
        ("e\u0301e\u0301 ship", [0, 5]),
        ("a\u200bship", [0]),
        ("İ ship", [0, 2]),
        ("\u202eship\u202c dawn", [1, 7]),
        ("\n\n# Dawn\n", [2, 4]),
    ],
)
def test_tokens_begin_at_code_points(bundled: Encoder, text: str, starts: list[int]) -> None:
    found = bundled.encode(text, "passage").starts.tolist()
    assert [start for start in found if start in starts] == starts
    if text.isascii() or text == "日本国":
        assert found == starts


def test_a_prefix_s_tokens_begin_where_the_whole_s_do(bundled: Encoder) -> None:
    words = "dawn 👩‍👩‍👧 日 cafe\u0301 ship ﬁn א ".split(" ")
    text, places = "", []
    for word in words * 3:
        places.append(len(text))
        text += word + " "
    starts = set(bundled.encode(text, "passage").starts.tolist())
    assert {place for place, word in zip(places, words * 3, strict=True) if word} <= starts


def test_a_spec_holds_what_it_is(bundled: Encoder) -> None:
    assert Encoder(bundled.folder).spec == bundled.spec
    assert replace(bundled.spec, precision="fp32") != bundled.spec
