"""Network: an exported network and its tokenizer, which load in the background while other things are made ready.

It runs one text at a time, on one thread, so that what comes of a text depends on nothing beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnxruntime
    import tokenizers

Floats = npt.NDArray[np.float32]


class Network:
    """Begins to load when it is made; its methods wait for what they need, and raise what the loading raised.

    `tokenizer` returns a tokenizer.json, `model` the path of an ONNX file or its bytes.
    """

    def __init__(self, tokenizer: Callable[[], str], model: Callable[[], str | bytes], max_tokens: int | None) -> None:
        loader = ThreadPoolExecutor(max_workers=2, thread_name_prefix="network")
        self._tokenizer = loader.submit(_read_tokenizer, tokenizer, max_tokens)
        self._session = loader.submit(_open_session, model)
        loader.shutdown(wait=False)

    @property
    def tokenizer(self) -> tokenizers.Tokenizer:
        """What makes tokens of a text: all of them, or of two texts `max_tokens`, the longer one cut."""
        return self._tokenizer.result()

    def run(self, outputs: Sequence[str], **inputs: Sequence[int]) -> list[Floats]:
        """Each output for one text, by the name of each input."""
        rows: Mapping[str, Any] = {name: np.array([row], dtype=np.int64) for name, row in inputs.items()}
        found: list[Floats] = self._session.result().run(list(outputs), rows)
        return found


def _read_tokenizer(read: Callable[[], str], max_tokens: int | None) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer

    made = Tokenizer.from_str(read())
    made.no_padding()
    if max_tokens is None:
        made.no_truncation()  # the file's own setting may cut at 128 what the network reads to 256
    else:
        made.enable_truncation(max_tokens, strategy="longest_first")
    return made


def _open_session(model: Callable[[], str | bytes]) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model(), options, providers=["CPUExecutionProvider"])
