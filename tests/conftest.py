"""What several test files share."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class RealIndex:
    """The shipped briefs, and an index of them made with the bundled model."""

    sources: Path
    index: Path


@pytest.fixture(scope="session")
def real_index(tmp_path_factory: pytest.TempPathFactory) -> RealIndex:
    """Built once a session, by another process, so that this one never imports torch (about 25 seconds)."""
    made = RealIndex(ROOT / "sources", tmp_path_factory.mktemp("real") / "index")
    command = [sys.executable, "-m", "qa", "index", "--sources", str(made.sources), "--index", str(made.index)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("QA_")}
    done = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return made
