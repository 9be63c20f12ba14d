"""Chromium, driven by playwright: what a page shows, what it complains of, what it asks the network for."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# Text and pictures of a page, shadow roots included. Formulas count as their rendering; code, controls and their
# tooltips, which are no part of a notebook's cells, not at all.
SEEN = r"""
() => {
  const seen = [];
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) { seen.push(node.data); return; }
    if (node.nodeType === Node.ELEMENT_NODE) {
      if (node.matches('script, style, code, pre, .katex-mathml, .annotation, marimo-ui-element')) return;
      if (node.tagName === 'IMG') seen.push(node.src);
    }
    for (const child of (node.shadowRoot ?? node).childNodes) walk(child);
  };
  const cells = document.querySelectorAll('[data-cell-id]');
  for (const root of cells.length ? cells : [document.body]) walk(root);
  return seen.join('\n');
}
"""
BUSY = "() => document.querySelector('svg[class*=running]') !== null"


class Page:
    """A page of a browser, and what it has complained of since it was opened."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.outside: list[str] = []
        page.on("console", lambda message: self.complain(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.ask(request.url))

    def complain(self, kind: str, text: str) -> None:
        if kind == "error" or (kind == "warning" and "preload" not in text):
            self.complaints.append(text)

    def ask(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "file:", "data:", "blob:", "about:")):
            self.outside.append(url)

    def clean(self) -> None:
        """Nothing was complained of, and nothing was asked for outside of this machine."""
        assert self.complaints == []
        assert self.outside == []

    def seen(self) -> str:
        return self.page.evaluate(SEEN)

    def settle(self, patience: float = 60) -> str:
        """Waits until nothing runs and nothing changes any more; returns what is seen then."""
        end, before = time.monotonic() + patience, ""
        while time.monotonic() < end:
            self.page.wait_for_timeout(200)
            after = self.seen()
            if after == before and not self.page.evaluate(BUSY):
                return after
            before = after
        pytest.fail(f"the page has not settled within {patience} s")

    def changed(self, before: str, patience: float) -> bool:
        """Whether what is seen becomes another within some seconds."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.seen() != before:
                return True
            self.page.wait_for_timeout(100)
        return False


@contextlib.contextmanager
def open_browser() -> Iterator[Any]:
    """Headless Chromium; the test is skipped where it or playwright is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
