"""Sentences of the lecture's first part: name -> (English, Chinese)."""

SENTENCES = {
    "title": (
        "# Lecture 3, live\n"
        "Stanford CS224d, *Neural networks, backpropagation* (Mundra and Socher, 2015), run by `cs224d_l3`. "
        "Every number and picture below is computed while you read.",
        "# 第三讲，现场运行\n"
        "斯坦福 CS224d《神经网络与反向传播》（Mundra 与 Socher，2015），由 `cs224d_l3` 运行。"
        "下面的每一个数、每一幅图，都在您阅读时现算。",
    ),
    "source": ("Source of {name}", "{name} 的源码"),
    "as printed": ("Erratum", "勘误"),
    # ------------------------------------------------------------------------------------------ 1.1
    "neuron": (
        "## 1.1 A neuron\n"
        "A neuron takes $n$ inputs to one output: it weighs them, adds its bias, and bends the sum by $f$.\n\n"
        "$$a = f(w^T x + b), \\qquad \\sigma(z) = \\frac{1}{1 + e^{-z}}$$\n\n"
        "The bias may stand among the weights, as the weight of an input that is always 1: "
        "$a = f([w^T\\; b] \\cdot [x\\; 1])$.",
        "## 1.1 神经元\n"
        "一个神经元把 $n$ 个输入变成一个输出：先加权求和，加上偏置，再经过 $f$。\n\n"
        "$$a = f(w^T x + b), \\qquad \\sigma(z) = \\frac{1}{1 + e^{-z}}$$\n\n"
        "偏置也可以看作一个权重，它的输入恒为 1：$a = f([w^T\\; b] \\cdot [x\\; 1])$。",
    ),
    "neuron numbers": (
        "$z = {z}$, and both forms give $a = {a}$ and ${augmented}$.",
        "$z = {z}$，两种形式分别给出 $a = {a}$ 和 ${augmented}$。",
    ),
    "neuron erratum": (
        "The 2019 edition prints $[w^T x] \\cdot [x\\; 1]$: with these numbers {wrong}, not {right}.",
        "2019 版印作 $[w^T x] \\cdot [x\\; 1]$：用上面的数算得 {wrong}，而不是 {right}。",
    ),
}
