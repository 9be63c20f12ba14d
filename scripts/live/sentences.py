"""The sentences of the live lecture, in English and in Chinese, in the lecture's order."""

from collections.abc import Mapping
from typing import NamedTuple

from . import sentences_1, sentences_2, sentences_3

LANGUAGES = {"English": "en", "中文": "zh"}
SENTENCES: Mapping[str, tuple[str, str]] = {**sentences_1.SENTENCES, **sentences_2.SENTENCES, **sentences_3.SENTENCES}


class Speaker(NamedTuple):
    """Says a sentence in its language: ``say("neuron")``; ``say("steps", n=3)`` fills in ``{n}``."""

    language: str

    def __call__(self, name: str, /, **values: object) -> str:
        text = SENTENCES[name][list(LANGUAGES.values()).index(self.language)]
        for key, value in values.items():  # braces of formulas stay as they are
            text = text.replace("{" + key + "}", str(value))
        return text
