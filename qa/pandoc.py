"""Pandoc: run as a program of its own, kept from files and the network."""

from __future__ import annotations

import shutil
import subprocess
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from qa.errors import ProcessorError

_SECONDS = 300  # more than thousands of entries need on a busy machine


def pandoc(given: bytes, *options: str) -> str:
    """What pandoc makes of some bytes; ProcessorError if it can't be run or fails."""
    command = [str(_program()), "--sandbox", *options]
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise ProcessorError(f"pandoc took more than {_SECONDS} seconds; give it fewer works at a time") from error
    except OSError as error:
        raise ProcessorError(f"pandoc can't be run: {error}; install pypandoc_binary anew") from error
    if done.returncode:
        raise ProcessorError(f"pandoc failed: {done.stderr.decode('utf-8', 'replace').strip()[:500]}")
    return done.stdout.decode("utf-8")


def package(name: str, distribution: str) -> Path:
    """Where a package lies, without importing it; ProcessorError if it is missing."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ProcessorError(f"the package {distribution} is missing; install it with pip")
    return Path(next(iter(spec.submodule_search_locations)))


@lru_cache(maxsize=1)
def _program() -> Path:
    try:
        bundled = package("pypandoc", "pypandoc_binary") / "files" / "pandoc"
    except ProcessorError:
        bundled = Path()
    for path in (bundled, bundled.with_name("pandoc.exe") if bundled.name else bundled):
        if path.is_file():
            return path
    if found := shutil.which("pandoc"):
        return Path(found)
    raise ProcessorError("pandoc is missing; install the package pypandoc_binary with pip")
