"""Hypothesis profiles, and fixtures: randomness, files, texts to train on."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch

from browser import open_browser
from helpers import COLUMNS, TEXT

hypothesis.settings.register_profile("dev", deadline=None, max_examples=50)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=5)
torch.set_num_threads(1)  # the tensors are small, and the machine may be busy
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(224)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, headless; the test is skipped where there is none."""
    with open_browser() as browser:
        yield browser


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "columns.txt").write_text(COLUMNS)
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


@pytest.fixture
def write(tmp_path: Path):
    """Writes a file of some content, and returns its path."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "file.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
