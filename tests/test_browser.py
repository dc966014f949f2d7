"""Links opened in a real browser: Chromium, without a window, scrolls to the words that a link was made for.

What it highlights no script can read (`::target-text` has no counterpart in the DOM), so where it scrolls to is looked
at: each block of the page is further from the next than the window is high, and the one in its middle tells its number.
"""

from __future__ import annotations

import html
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from qa.links import link
from qa.loaders import parse

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")

BLOCKS = (
    "The lamp was lit at nine, and the boats came home.",
    "The keeper slept. The lamp was lit at nine, and the boats stayed out.",
    "Fish & chips, 50% off: “half-price”, he said - and meant it.",
    "Ärger in Århus: the café’s owner, naïve as ever, paid.",
    "The keeper slept. The lamp was lit at ten.",
    "A long report begins with the weather of the year and goes on with the names of all who served on the boats, the "
    "days they were out, the nets they lost and the prices they were paid, until it ends with thanks to the council.",
)
PAGE = """<!doctype html><meta charset="utf-8"><title>t</title><style>p {{ margin: 0 0 5000px }}</style><body>{body}
<script>
addEventListener("load", () => setTimeout(() => {{
  const near = [...document.querySelectorAll("p")].map(p => [Math.abs(p.getBoundingClientRect().top), p.id]);
  near.sort((a, b) => a[0] - b[0]);
  document.title = scrollY > 0 ? `at ${{near[0][1]}}` : "at the top";
}}, 500));
</script>"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("page")
    body = "".join(f'<p id="b{number}">{html.escape(text)}</p>' for number, text in enumerate(("Top.", *BLOCKS)))
    (folder / "page.html").write_text(PAGE.format(body=body), encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/page.html"
        server.shutdown()


def opened(url: str, profile: Path) -> str:
    """Where the browser is after opening a page: "at" a block, or the top."""
    assert BROWSER
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom"]
    command = [BROWSER, *options, f"--user-data-dir={profile}", url]
    page = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return page.partition("<title>")[2].partition("</title>")[0]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (1, "The lamp was lit at nine"),
        (2, "The lamp was lit at nine"),
        (3, "50% off: “half-price”, he said - and meant it."),
        (4, "the café’s owner, naïve as ever"),
        (5, "The keeper slept."),
        (6, BLOCKS[5]),
    ],
)
def test_a_link_opens_at_its_words(address: str, tmp_path: Path, block: int, words: str) -> None:
    text = "\n\n".join(("Top.", *BLOCKS))
    source = parse(f"---\nURL: {address}\ntitle: Page\n---\n{text}\n", "page")
    start = source.text.index(words, source.text.index(BLOCKS[block - 1]))
    made = link(source, start, start + len(words))
    assert made is not None
    assert opened(made, tmp_path) == f"at b{block}"


def test_words_that_are_not_there_leave_the_page_at_its_top(address: str, tmp_path: Path) -> None:
    assert opened(f"{address}#:~:text=nothing%20of%20this", tmp_path) == "at the top"
