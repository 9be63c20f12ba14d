"""Sentences of 2.4 to 2.6 and of the language model: name -> (English, Chinese)."""

SENTENCES = {
    # ------------------------------------------------------------------------------------------ 2.4
    "xavier": (
        "## 2.4 Xavier initialisation\n"
        "Activations go forward through every layer, errors go back, and each layer multiplies them. If the first "
        "weights are too small, both fade on the way; if they are too large, units saturate. Between fan-in $n^{(l)}$ "
        "and fan-out $n^{(l+1)}$, Glorot and Bengio keep both variances nearly constant, with biases 0:\n\n"
        "$$W \\sim U\\left[-\\sqrt{\\frac{6}{n^{(l)} + n^{(l+1)}}},\\; \\sqrt{\\frac{6}{n^{(l)} + n^{(l+1)}}}\\right]$$"
        "\n\nTen new layers of 100 units, 300 random inputs, one forward and one backward pass. The rule is made for "
        "tanh: try the others.",
        "## 2.4 Xavier 参数初始化\n"
        "激活值逐层向前传，误差逐层向后传，每一层都要乘一次。初始权重太小，两者会逐渐消失；太大，单元会饱和。"
        "Glorot 与 Bengio 在扇入 $n^{(l)}$ 与扇出 $n^{(l+1)}$ 之间折中，使两种方差几乎不变，偏置取 0：\n\n"
        "$$W \\sim U\\left[-\\sqrt{\\frac{6}{n^{(l)} + n^{(l+1)}}},\\; \\sqrt{\\frac{6}{n^{(l)} + n^{(l+1)}}}\\right]$$"
        "\n\n十层新网络，每层 100 个单元，300 个随机输入，前向和反向各传一次。"
        "这条规则是为 tanh 设计的，不妨换别的单元试试。",
    ),
    "other rule": ("against", "对照"),
    "layers caption": (
        "Histograms of the activations $a^{(k)}$ and of $\\log_{10} |\\delta^{(k)}|$, layer by layer; exact zeros are "
        "left out.",
        "各层激活值 $a^{(k)}$ 与 $\\log_{10} |\\delta^{(k)}|$ 的直方图；恰好为 0 的值不画。",
    ),
    "layers heads": (
        "standard deviation | $a^{(k)}$, first layer | last | $\\delta^{(k)}$, last layer | first",
        "标准差 | $a^{(k)}$，第一层 | 最后一层 | $\\delta^{(k)}$，最后一层 | 第一层",
    ),
    # ------------------------------------------------------------------------------------------ 2.5
    "rates": (
        "## 2.5 Learning rates\n"
        "Each step goes against the gradient, $\\theta \\leftarrow \\theta - \\alpha \\nabla J(\\theta)$. If $\\alpha$ "
        "is small, it takes long; if it is large, the step lands on the other side of the valley, higher up. Two "
        "remedies: Collobert divides the rate of a weight matrix by the root of its fan-in, and annealing lets "
        "the rate fall from $t = \\tau$ on.\n\n"
        "$$\\alpha_W = \\frac{\\alpha}{\\sqrt{n^{(l)}}}, \\qquad "
        "\\alpha(t) = \\frac{\\alpha_0 \\tau}{\\max(t, \\tau)}$$\n\n"
        "The bowl below is ten times as steep along $\\theta_2$ as along $\\theta_1$. SGD needs $\\alpha < 0.2$ "
        "there: try 0.208. AdaGrad is the subject of 2.6.",
        "## 2.5 学习速率\n"
        "每一步都沿梯度的反方向走：$\\theta \\leftarrow \\theta - \\alpha \\nabla J(\\theta)$。$\\alpha$ 小，走得慢；"
        "太大，一步就跨到谷的另一侧，反而更高。有两种办法：Collobert 把权重矩阵的学习速率除以其扇入的平方根；"
        "退火则让学习速率从 $t = \\tau$ 起逐渐下降。\n\n"
        "$$\\alpha_W = \\frac{\\alpha}{\\sqrt{n^{(l)}}}, \\qquad "
        "\\alpha(t) = \\frac{\\alpha_0 \\tau}{\\max(t, \\tau)}$$\n\n"
        "下面的碗在 $\\theta_2$ 方向的陡峭程度是 $\\theta_1$ 方向的十倍。SGD 要求 $\\alpha < 0.2$：试试 0.208。"
        "AdaGrad 见 2.6。",
    ),
    "path rule": ("rule", "规则"),
    "rule SGD": ("SGD", "SGD"),
    "rule annealed": ("SGD, annealed", "SGD，退火"),
    "rule AdaGrad": ("AdaGrad", "AdaGrad"),
    "typed rate": ("or type $\\alpha$", "或输入 $\\alpha$"),
    "path steps": ("steps", "步数"),
    "path numbers": (
        "$\\alpha = {lr}$: $J$ goes from {start} to {end} in {steps} steps.",
        "$\\alpha = {lr}$：$J$ 经 {steps} 步从 {start} 变为 {end}。",
    ),
    "path still": (
        "With $\\alpha = 0$ nothing moves: $J$ is {start} after {steps} steps, as before.",
        "$\\alpha = 0$ 时什么都不动：{steps} 步之后 $J$ 仍是 {start}。",
    ),
    "path leaves": (
        "$\\alpha = {lr}$ is too large: step {step} lands outside the picture, and after {steps} steps $J$ has gone "
        "from {start} to {end}.",
        "$\\alpha = {lr}$ 太大：第 {step} 步落到了图外，{steps} 步之后 $J$ 从 {start} 变为 {end}。",
    ),
    "path overflows": (
        "$\\alpha = {lr}$ is too large: after step {steps} $J$ is no longer a finite number.",
        "$\\alpha = {lr}$ 太大：第 {steps} 步之后 $J$ 不再是有限的数。",
    ),
    "path grows": (
        "$\\alpha = {lr}$ is too large: in {steps} steps $J$ has grown from {start} to {end}.",
        "$\\alpha = {lr}$ 太大：{steps} 步之后 $J$ 从 {start} 增大到 {end}。",
    ),
    "fan-in": (
        "By fan-in: `fan_in_groups` gives each weight matrix of the network $64 \\to 60 \\to 60 \\to 10$ its own rate. "
        "Biases, which have no fan-in, keep $\\alpha$.",
        "按扇入：`fan_in_groups` 为网络 $64 \\to 60 \\to 60 \\to 10$ 的每个权重矩阵给出各自的学习速率；"
        "偏置没有扇入，仍用 $\\alpha$。",
    ),
    "fan-in heads": ("parameters | fan-in | rate", "参数 | 扇入 | 学习速率"),
    "fan-in zero": (
        "`fan_in_groups` takes no rate of 0: {reason}.",
        "`fan_in_groups` 不接受 0：{reason}。",
    ),
    # ------------------------------------------------------------------------------------------ 2.6
    "adagrad": (
        "## 2.6 AdaGrad\n"
        "AdaGrad gives every parameter a rate of its own, which falls with the gradients that the parameter has had. "
        "One that has "
        "had few still learns fast.\n\n"
        "$$\\theta_{t,i} = \\theta_{t-1,i} - \\frac{\\alpha}{\\sqrt{\\sum_{\\tau=1}^t g_{\\tau,i}^2 + \\epsilon}}\\, "
        "g_{t,i}$$\n\n"
        "In a text most words are rare. The window network reads the Python reference once; then each point is a word, "
        "with the number of batches that held it, and the rate $\\alpha / \\sqrt{G + \\epsilon}$ that its vector has "
        "come to. Name some words.",
        "## 2.6 AdaGrad\n"
        "AdaGrad 为每个参数单独设一个学习速率，它随该参数得到过的梯度而下降；得到梯度少的参数，仍然学得快。\n\n"
        "$$\\theta_{t,i} = \\theta_{t-1,i} - \\frac{\\alpha}{\\sqrt{\\sum_{\\tau=1}^t g_{\\tau,i}^2 + \\epsilon}}\\, "
        "g_{t,i}$$\n\n"
        "文本里的词大多是罕见词。让窗口网络把 Python 参考手册读一遍，图中每个点是一个词："
        "横轴是含有它的批次数，纵轴是它的词向量最后的学习速率 $\\alpha / \\sqrt{G + \\epsilon}$。可以写上几个词。",
    ),
    "some words": ("words", "词"),
    "words heads": ("word | batches | rate", "词 | 批次数 | 学习速率"),
    "words numbers": (
        "The rarest tenth of the {count} words has a rate of {rare} (median), the most frequent tenth {frequent}.",
        "{count} 个词中，最罕见的十分之一学习速率的中位数是 {rare}，最常见的十分之一是 {frequent}。",
    ),
    "rate of zero": (
        "With $\\alpha = 0$ nothing is learned: give a rate above 0.",
        "$\\alpha = 0$ 时什么也学不到：请给出大于 0 的学习速率。",
    ),
    "words not in text": ("The training text does not have {words}.", "训练文本里没有 {words}。"),
    "rate diverges": (
        "With $\\alpha = {lr}$ the word vectors are not finite.",
        "$\\alpha = {lr}$ 时词向量不再是有限的数。",
    ),
    "adagrad printed": (
        "Without $\\epsilon$, as the formula is printed, a parameter that has had no gradient is moved by "
        "$0/0 = \\mathrm{{without}}$; with $\\epsilon = 10^{-8}$ in the root, as in the notes' code, by {with_eps}. "
        "And the root is of a sum: the notes speak of the history's root mean square. Under the same gradient at every "
        "step $\\alpha = 1$ makes steps of {lengths}, where a mean would make steps of {mean}.",
        "印出的公式没有 $\\epsilon$：从未得到梯度的参数要移动 $0/0 = \\mathrm{{without}}$；像讲义代码那样在根号内加上 "
        "$\\epsilon = 10^{-8}$，则移动 {with_eps}。另外，根号下是和：讲义却说是历史梯度的方均根。"
        "每步梯度都相同、$\\alpha = 1$ 时，各步长为 {lengths}；若是平均，则为 {mean}。",
    ),
    # ------------------------------------------------------------------------------------------ language model
    "language model": (
        "## A language model\n"
        "The notes end on the way to a language model, and all of its parts are above: word vectors, a window, tanh "
        "units, a softmax over the words, AdaGrad with rates by fan-in.\n\n"
        "$$a = f(Wx + b), \\qquad x = [L_{w_{t-5}} \\dots L_{w_{t-1}}]$$\n\n"
        "$$p(w_t \\mid w_{t-5}, \\dots, w_{t-1}) = \\mathrm{softmax}(Ua + c)_{w_t}$$\n\n"
        "It learns from the documentation that comes with Python, in under a minute. The recurrent model reads one "
        "word and its own state in place of a window. Or give the path of a checkpoint that "
        "`train_language_model.py` wrote.",
        "## 语言模型\n"
        "讲义结束在通往语言模型的路上，而所需的部件上面都有了：词向量、窗口、tanh 单元、对词的 softmax、"
        "按扇入设置学习速率的 AdaGrad。\n\n"
        "$$a = f(Wx + b), \\qquad x = [L_{w_{t-5}} \\dots L_{w_{t-1}}]$$\n\n"
        "$$p(w_t \\mid w_{t-5}, \\dots, w_{t-1}) = \\mathrm{softmax}(Ua + c)_{w_t}$$\n\n"
        "它用 Python 自带的文档学习，不到一分钟。循环模型不用窗口，而是读一个词和自己的状态。"
        "也可以给出 `train_language_model.py` 所写检查点的路径。",
    ),
    "kind": ("model", "模型"),
    "kind window": ("window of five words", "五个词的窗口"),
    "kind recurrent": ("recurrent", "循环"),
    "train model": ("Train", "训练"),
    "checkpoint": ("or a checkpoint", "或检查点"),
    "reading": ("Reading the documentation", "正在读取文档"),
    "model training": ("Training", "正在训练"),
    "perplexity so far": ("perplexity {perplexity}", "困惑度 {perplexity}"),
    "trained": (
        "Trained for {seconds} s on {words} words, {V} of them different. Perplexity on text it has not seen: "
        "{perplexity}. One that knows nothing would have {V}.",
        "用 {words} 个词（{V} 个不同的词）训练了 {seconds} 秒。在没见过的文本上困惑度为 {perplexity}；"
        "一无所知的模型则是 {V}。",
    ),
    "loaded": ("Read from the checkpoint: a vocabulary of {V} words.", "已读取检查点：词表有 {V} 个词。"),
    "no checkpoint": ("The checkpoint cannot be read: {reason}.", "无法读取检查点：{reason}。"),
    "no model yet": (
        "*Train a model, or give one; then it continues your prompt.*",
        "*先训练或给出一个模型，它就会续写您的开头。*",
    ),
    "prompt": ("prompt", "开头"),
    "temperature": ("temperature", "温度"),
    "unknown words": (
        "The model does not know {words}. Its vocabulary is that of its training text: try “the”, “file”, “returns”.",
        "模型不认识 {words}。它只认识训练文本里的词：试试“the”“file”“returns”。",
    ),
}
