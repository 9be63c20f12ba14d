"""Warnings of other libraries are theirs; ours are errors, as in the rest of the suite."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    for line in ("ignore", "error:::cs224d_l3"):
        config.addinivalue_line("filterwarnings", line)
