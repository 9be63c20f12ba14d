"""Sentences of the lecture's second part and of the language model: name -> (English, Chinese)."""

SENTENCES = {
    "gradient check": ("## 2.1 Gradient checks", "## 2.1 梯度检验"),
}
