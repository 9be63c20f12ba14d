"""Hypothesis profiles, and randomness through a fixture."""

import os

import hypothesis
import pytest
import torch

hypothesis.settings.register_profile("dev", deadline=None, max_examples=50)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=50, derandomize=True)
torch.set_num_threads(1)  # the tensors are small, and the machine may be busy
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(224)
