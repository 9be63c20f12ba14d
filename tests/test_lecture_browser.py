"""The live lecture in a real browser: every control moves something, nothing complains, nothing leaves the machine."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import Page

LECTURE = Path(__file__).parents[1] / "scripts" / "lecture.py"
PATIENCE = 180  # seconds that a cell may take on a busy machine; training takes under 60 on an idle one
TELEPHONE, DESK = {"width": 390, "height": 844}, {"width": 1000, "height": 1000}

pytestmark = [pytest.mark.long, pytest.mark.slow]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The lecture, served on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(LECTURE), "--headless", "--port", str(port)]
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(
        command, start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, **quiet
    ) as server:
        try:
            end = time.monotonic() + 120
            while not answers(port):
                assert server.poll() is None, f"{' '.join(command)} ended with status {server.returncode}"
                assert time.monotonic() < end, "the lecture is not served"
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGKILL)


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def visit(browser: Any, address: str, size: dict[str, int]) -> Page:
    """The lecture on a screen of some size, all of its cells run."""
    page = Page(browser.new_page(viewport=size))
    page.page.goto(address)
    page.page.wait_for_selector("h2:has-text('2.1')", timeout=1000 * PATIENCE)
    page.settle(PATIENCE)
    return page


@pytest.fixture(scope="module")
def desk(browser: Any, address: str) -> Page:
    return visit(browser, address, DESK)


def move(control: Any) -> None:
    """Moves a control by one step, whatever it is."""
    inside = {
        kind: control.locator(selector).first
        for kind, selector in {
            "slider": "[role=slider]",
            "select": "select",
            "number": "[data-testid=marimo-plugin-number-input] input",
            "editor": ".cm-content",
            "text": "textarea, input:not([type=checkbox])",
            "radio": "[role=radio][aria-checked=false]",
            "switch": "[role=switch], [role=checkbox], input[type=checkbox]",
            "button": "button",
        }.items()
    }
    kind = next(kind for kind, found in inside.items() if found.count())
    one = inside[kind]
    one.scroll_into_view_if_needed()
    if kind == "slider":
        last = one.get_attribute("aria-valuenow") == one.get_attribute("aria-valuemax")
        one.press("ArrowLeft" if last else "ArrowRight")
    elif kind == "select":
        values = one.locator("option").evaluate_all("all => all.map(o => o.value).filter(value => value !== '')")
        one.select_option(values[(values.index(one.input_value()) + 1) % len(values)])
    elif kind == "number":
        one.fill(str(2 * float(one.input_value() or 1)))
        one.press("Enter")
    elif kind == "text":
        one.fill(f"{one.input_value()} in")
        one.press("Enter")
        one.blur()
    elif kind == "editor":
        one.click()
        one.press("Control+End")
        one.press_sequentially("\n(")
        one.blur()
    else:
        one.click()


def button_after(page: Any, control: Any) -> Any:
    """The first button that follows a control in its section, if there is one: what takes long runs on demand."""
    following = """
        (control) => {
            const after = (e) => control.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING;
            const all = [...document.querySelectorAll('h2, h3, marimo-ui-element:has(marimo-button)')].filter(after);
            return all.length && all[0].matches('marimo-ui-element') ? all[0].getAttribute('object-id') : '';
        }
    """
    name = control.evaluate(following)
    return page.locator(f"marimo-ui-element[object-id='{name}']") if name else None


def test_every_control_changes_what_is_seen(desk: Page) -> None:
    """A control moved once changes a number or a picture, at once or with the button that follows it."""
    names = desk.page.locator("marimo-ui-element").evaluate_all("all => all.map(e => e.getAttribute('object-id'))")
    assert len(names) >= 25
    for name in names[1:]:  # the first is the language, which makes the others anew
        control = desk.page.locator(f"marimo-ui-element[object-id='{name}']")
        before = desk.settle(PATIENCE)
        if button := button_after(desk.page, control):
            move(control)
            if not desk.changed(before, 3):
                move(button)
                assert desk.changed(before, PATIENCE), name
        else:  # a temperature a little higher may draw the same words
            assert any(move(control) or desk.changed(before, PATIENCE / 6) for _ in range(6)), name
    desk.settle(PATIENCE)
    desk.clean()


def test_what_cannot_be_computed_is_said_and_the_rest_lives_on(desk: Page) -> None:
    trouble, page = desk.page.locator("marimo-callout-output[data-kind*=danger]"), desk.page
    sentence, rate = page.locator("marimo-text input").first, page.locator("marimo-number input").first
    desk.settle(PATIENCE)
    before = trouble.count()
    for field, wrong, right in ((sentence, "", "Ann sees Rome"), (sentence, "Rome", "Ann sees Rome"), (rate, "0", "1")):
        for value, more in ((wrong, 1), (right, 0)):
            field.fill(value)
            field.press("Enter")
            field.blur()
            page.wait_for_timeout(500)
            desk.settle(PATIENCE)
            assert trouble.count() == before + more, value
    desk.clean()


def test_it_is_whole_on_a_telephone_in_chinese(browser: Any, address: str) -> None:
    phone = visit(browser, address, TELEPHONE)
    move(phone.page.locator("marimo-ui-element").first)
    phone.page.wait_for_selector("h2:has-text('神经元')", timeout=1000 * PATIENCE)
    text = phone.settle(PATIENCE)
    assert not re.findall(r"\$|\\[a-zA-Z]+|\bnan\b", text)  # no formula is left as it was typed
    formulas = phone.page.locator("marimo-tex")
    assert formulas.count() > 60
    assert phone.page.locator("marimo-tex .katex").count() == formulas.count()
    assert phone.page.locator(".katex-error").count() == 0
    wide = """all => all.filter(e => e.getBoundingClientRect().right > innerWidth + 1 || e.scrollWidth > innerWidth)
                        .map(e => e.textContent)"""
    assert phone.page.locator("img, .katex-display, marimo-ui-element *").evaluate_all(wide) == []
    phone.clean()
    phone.page.close()
