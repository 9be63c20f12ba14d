"""What the reader asks for: runs on demand, numbers that are typed, and input that cannot be used."""

import math
from collections.abc import Callable

import marimo as mo

from . import page
from .sentences import Speaker


class UnusableError(Exception):
    """Input that cannot be used; the sentence of that name says so."""

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence, values)
        self.sentence, self.values = sentence, values


def answer(say: Speaker, make: Callable[[], mo.Html]) -> mo.Html:
    """What ``make`` shows, or a sentence about the input that it cannot use."""
    try:
        return make()
    except UnusableError as error:
        return refusal(say, error)


def refusal(say: Speaker, error: UnusableError) -> mo.Html:
    return page.trouble(say(error.sentence, **error.values))


def is_wanted(button: mo.ui.run_button) -> bool:
    """Whether an experiment runs: its button was pressed, or the lecture is checked."""
    return bool(button.value) or page.checking()


def in_print(value: float) -> str:
    """Three digits, for a formula: 0.15, 3.2 x 10^(-5), 10^6."""
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    if not exponent:
        return mantissa.replace("inf", r"\infty")
    power = f"10^{{{int(exponent)}}}"
    return power if mantissa == "1" else rf"{{{mantissa} \cdot {power}}}"  # braces: never broken over two lines


def number(name: str, text: str, at_most: float = math.inf) -> float:
    """A number of at least 0 as it was typed."""
    try:
        value = float(text)
    except ValueError:
        raise UnusableError("no number", name=name, text=page.plain(text.strip())) from None
    if not 0 <= value <= at_most or math.isinf(value):
        limit = "" if math.isinf(at_most) else f" \\le {at_most:g}"
        raise UnusableError("number out of range", name=name, value=f"{value:g}", limit=limit)
    return value


def rate(value: float | None) -> float:
    """A learning rate above 0; None where the field was emptied."""
    if (lr := number(r"\alpha", "" if value is None else str(value))) == 0:
        raise UnusableError("rate of zero")
    return lr


def numbers(name: str, text: str, most: int) -> list[float]:
    """Up to so many numbers, separated by commas or blanks."""
    parts = text.replace(",", " ").replace("，", " ").split()
    if not 1 <= len(parts) <= most:
        raise UnusableError("how many numbers", name=name, count=len(parts), most=most)
    return [number(name, part) for part in parts]
