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
    "unknown language": (
        "lang must be en or zh, got {asked}. This is English.",
        "lang 须为 en 或 zh，得到的是 {asked}。",
    ),
    "source": ("Source of {name}", "{name} 的源码"),
    "as printed": ("Erratum", "勘误"),
    "seed": ("random seed", "随机种子"),
    # ------------------------------------------------------------------------------------------ 1.1
    "neuron": (
        "## 1.1 A neuron\n"
        "A neuron takes $n$ inputs to one output: it weighs them, adds its bias, and bends the sum by $f$.\n\n"
        "$$a = f(w^T x + b), \\qquad \\sigma(z) = \\frac{1}{1 + e^{-z}}$$\n\n"
        "The bias may stand among the weights, as the weight of an input that is always 1: "
        "$a = f({[w^T\\; b] \\cdot [x\\; 1]})$.",
        "## 1.1 神经元\n"
        "一个神经元把 $n$ 个输入变成一个输出：先加权求和，加上偏置，再经过 $f$。\n\n"
        "$$a = f(w^T x + b), \\qquad \\sigma(z) = \\frac{1}{1 + e^{-z}}$$\n\n"
        "偏置也可以看作一个权重，它的输入恒为 1：$a = f({[w^T\\; b] \\cdot [x\\; 1]})$。",
    ),
    "neuron numbers": (
        "$z = {z}$, and both forms give $a = {a}$ and ${augmented}$.",
        "$z = {z}$，两种形式分别给出 $a = {a}$ 和 ${augmented}$。",
    ),
    "neuron erratum": (
        "The 2019 edition prints $[w^T\\; x] \\cdot [x\\; 1]$. The sizes fit for a single input only, and there $b$ is "
        "missing: with $w_1$, $x_1$ and $b$ alone it gives {printed}, the neuron {right}.",
        "2019 版印作 $[w^T\\; x] \\cdot [x\\; 1]$。只有一个输入时两边大小才相符，而且丢了 $b$："
        "只取 $w_1$、$x_1$ 和 $b$，它给出 {printed}，神经元给出 {right}。",
    ),
    # ------------------------------------------------------------------------------------------ 1.2
    "layer": (
        "## 1.2 A layer\n"
        "A layer is $m$ neurons on the same input. Their weight vectors are the rows of $W$, and one product gives all "
        "$m$ sums at once.\n\n"
        "$$z = Wx + b, \\qquad a = \\sigma(z)$$\n\n"
        "$$x \\in \\mathbb{R}^n,\\; W \\in \\mathbb{R}^{m \\times n},\\; b, z, a \\in \\mathbb{R}^m$$\n\n"
        "Each neuron may come to answer to a feature of its own.",
        "## 1.2 一层神经元\n"
        "一层就是接收同一个输入的 $m$ 个神经元。它们的权重向量是 $W$ 的各行，一次乘法便得到全部 $m$ 个和。\n\n"
        "$$z = Wx + b, \\qquad a = \\sigma(z)$$\n\n"
        "$$x \\in \\mathbb{R}^n,\\; W \\in \\mathbb{R}^{m \\times n},\\; b, z, a \\in \\mathbb{R}^m$$\n\n"
        "每个神经元可以学会响应一种特征。",
    ),
    "neuron chosen": ("neuron $i$", "神经元 $i$"),
    "layer numbers": (
        "$W \\in \\mathbb{R}^{ {m} \\times {n} }$. Row {i} of $W$ as a neuron of 1.1 gives $a_{i} = {one}$, and the "
        "layer gives ${whole}$.",
        "$W \\in \\mathbb{R}^{ {m} \\times {n} }$。把 $W$ 的第 {i} 行当作 1.1 的神经元，得 $a_{i} = {one}$；"
        "整层计算得 ${whole}$。",
    ),
    "layer erratum": (
        "The 2019 edition prints $\\sigma(z) = 1 / (1 + \\exp(z))$, which falls where the sigmoid of 1.1 rises. At "
        "$z_{i} = {z}$ it gives {printed}; $1 / (1 + \\exp(-z))$ gives {right}.",
        "2019 版印作 $\\sigma(z) = 1 / (1 + \\exp(z))$，1.1 的 sigmoid 上升之处它反而下降。"
        "在 $z_{i} = {z}$ 处它给出 {printed}；$1 / (1 + \\exp(-z))$ 给出 {right}。",
    ),
    # ------------------------------------------------------------------------------------------ 1.3
    "window": (
        "## 1.3 Forward computation\n"
        "Is *Paris* a place in “Museums in Paris are amazing”? That depends on its neighbours and on where they stand. "
        "The network reads a window of words, each as its vector, and the hidden layer lets them act together.\n\n"
        "$$s = U^T a = U^T f(Wx + b)$$\n\n"
        "Type a sentence of your own. The words beyond its ends are padding, {pad}.",
        "## 1.3 前向计算\n"
        "“Museums in Paris are amazing”里的 *Paris* 是不是地名？这取决于它的邻词，也取决于邻词的位置。"
        "网络读入一个词窗，每个词是一个向量；隐藏层使它们共同起作用。\n\n"
        "$$s = U^T a = U^T f(Wx + b)$$\n\n"
        "请输入您自己的句子，词与词用空格隔开。句子两端之外用 {pad} 填充。",
    ),
    "sentence": ("sentence", "句子"),
    "window size": ("words in a window", "词窗大小"),
    "around": ("window around", "中心词"),
    "sentence empty": (
        "A sentence without words has no window. Type at least two words, with spaces between them.",
        "没有词的句子就没有词窗。请至少输入两个词，用空格隔开。",
    ),
    "sentence short": (
        "One word has no neighbours: its window is padding. Type at least two words, with spaces between them.",
        "一个词没有邻词，它的词窗全是填充。请至少输入两个词，用空格隔开。",
    ),
    "sentence same": (
        "All words are the same, so none can be put in the place of another. Type two different words.",
        "所有的词都相同，没有别的词可以替换。请输入两个不同的词。",
    ),
    "sentence long": (
        "A sentence may have {most} words here, got {count}.",
        "这里的句子最多 {most} 个词，得到的是 {count} 个。",
    ),
    "step": ("step", "步骤"),
    "formula": ("formula", "公式"),
    "one window": ("one window", "一个词窗"),
    "all windows": ("the sentence", "整个句子"),
    "step windows": ("windows, padded", "词窗（含填充）"),
    "step look-ups": ("look-ups in $L$", "在 $L$ 中查表"),
    "step x": ("end to end", "首尾相接"),
    "step z": ("hidden layer", "隐藏层"),
    "step a": ("activation", "激活"),
    "step s": ("score", "得分"),
    "window of": ("window", "词窗"),
    "window numbers": (
        "The score of this window, step by step, is ${s}$, and `score` gives ${other}$. The network is untrained: its "
        "scores mean nothing yet.",
        "逐步算得这个词窗的得分是 ${s}$，`score` 给出 ${other}$。网络尚未训练，得分还没有意义。",
    ),
    "figure 1": (
        "### Figure 1, live\n"
        "Two classes that no straight line can part. A hidden layer bends the boundary; choose how it is built and "
        "trained.",
        "### 图 1，现场运行\n两类样本，任何直线都分不开。隐藏层使边界弯曲；请选择它的结构和训练方法。",
    ),
    "hidden units": ("hidden units", "隐藏单元"),
    "rate": ("rate $\\alpha$", "学习率 $\\alpha$"),
    "rule": ("rule", "更新规则"),
    "init": ("first weights", "初始权重"),
    "watch": ("Watch it train", "观看训练过程"),
    "rate zero": (
        "With a rate of {rate} no step leads downhill: the rate must be above 0. Try 0.3.",
        "学习率为 {rate} 时，没有一步能使目标下降：学习率须大于 0。试试 0.3。",
    ),
    "rate missing": ("Type a rate: a number above 0, such as 0.3.", "请输入学习率：一个大于 0 的数，例如 0.3。"),
    "training": (
        "After {steps} steps $J$ is {last}, from {first}; {accuracy} % of the points are right.",
        "{steps} 步之后，$J$ 由 {first} 变为 {last}；{accuracy} % 的点分类正确。",
    ),
    "diverged": (
        "$J$ went from {first} to {last} in {steps} steps: they overshoot. Choose a smaller rate.",
        "{steps} 步内 $J$ 由 {first} 变为 {last}：步子过大，越过了最低点。请选择较小的学习率。",
    ),
    "init zero": (
        "With $W = 0$ all hidden units are alike and pass nothing back: $U = 0$, so every $\\delta$ is 0, and they "
        "stay alike.",
        "$W = 0$ 时所有隐藏单元都一样，也没有误差传回：$U = 0$，所以每个 $\\delta$ 都是 0，它们始终一样。",
    ),
    # ------------------------------------------------------------------------------------------ 1.4
    "margin": (
        "## 1.4 The max-margin objective\n"
        "The true window should outscore a corrupt one, which has another word at its centre. It is not enough to win: "
        "the lead must be at least $\\Delta$.\n\n"
        "$$J = \\max(0,\\; \\Delta + s_c - s)$$\n\n"
        "A pair whose lead is large enough pays nothing, and no error goes back from it. The windows of your sentence, "
        "each against a corrupt one, after some steps of AdaGrad:",
        "## 1.4 最大间隔目标函数\n"
        "真词窗的得分应高于中心词被换掉的词窗。只是高于还不够：至少要高出 $\\Delta$。\n\n"
        "$$J = \\max(0,\\; \\Delta + s_c - s)$$\n\n"
        "领先足够多的一对不产生代价，也没有误差从它传回。下面是您句子中的各个词窗，各与一个被替换的词窗配对，"
        "经过若干步 AdaGrad 训练：",
    ),
    "steps": ("steps", "步数"),
    "true window": ("true", "真词窗"),
    "corrupt window": ("corrupt", "被替换的词窗"),
    "margin numbers": (
        "{paying} of {count} pairs still pay; $J$ is {J} on average.",
        "{count} 对中还有 {paying} 对产生代价；$J$ 平均为 {J}。",
    ),
    "margin sentence": (
        "The sentence of 1.3 cannot be used; this is “{sentence}”.",
        "1.3 的句子不能用；这里用的是“{sentence}”。",
    ),
    # ------------------------------------------------------------------------------------------ 1.5
    "backprop": (
        "## 1.5 Backpropagation by elements\n"
        "When the pair pays, $\\partial J / \\partial s = -1$; what remains is the derivative of $s$ by each weight. "
        "$\\delta_j^{(k)}$ is the error at the input $z_j^{(k)}$ of neuron $j$ in layer $k$.\n\n"
        "$$\\frac{\\partial s}{\\partial W_{ij}^{(k)}} = \\delta_i^{(k+1)} a_j^{(k)}$$\n\n"
        "$$\\delta_j^{(k)} = f'(z_j^{(k)}) \\sum_i \\delta_i^{(k+1)} W_{ij}^{(k)}$$\n\n"
        "Figures 5 and 6 with their numbers. Choose a weight, and follow the error back to it.",
        "## 1.5 反向传播：逐元素形式\n"
        "一对词窗产生代价时，$\\partial J / \\partial s = -1$；剩下的是 $s$ 对每个权重的导数。"
        "$\\delta_j^{(k)}$ 是第 $k$ 层第 $j$ 个神经元的输入 $z_j^{(k)}$ 处的误差。\n\n"
        "$$\\frac{\\partial s}{\\partial W_{ij}^{(k)}} = \\delta_i^{(k+1)} a_j^{(k)}$$\n\n"
        "$$\\delta_j^{(k)} = f'(z_j^{(k)}) \\sum_i \\delta_i^{(k+1)} W_{ij}^{(k)}$$\n\n"
        "下面是带有数值的图 5 和图 6。请选择一个权重，跟随误差回到它。",
    ),
    "weight": ("weight", "权重"),
    "forward": ("Forward", "前向"),
    "backward": ("Backward", "反向"),
    "back error": ("The error at $s$ is $\\delta_1^{(3)} = 1$.", "$s$ 处的误差是 $\\delta_1^{(3)} = 1$。"),
    "back weight": (
        "Over $W_{i}^{(2)} = {W}$ it reaches $a_{i}^{(2)}$: $1 \\cdot {W} = {error}$.",
        "它经过 $W_{i}^{(2)} = {W}$ 到达 $a_{i}^{(2)}$：$1 \\cdot {W} = {error}$。",
    ),
    "back slope": (
        "The local gradient is $f'(z_{i}^{(2)}) = {slope}$, so $\\delta_{i}^{(2)} = {slope} \\cdot {error} = {delta}$.",
        "局部梯度是 $f'(z_{i}^{(2)}) = {slope}$，所以 $\\delta_{i}^{(2)} = {slope} \\cdot {error} = {delta}$。",
    ),
    "back input": (
        "The weight multiplies $a_{j}^{({k})} = {a}$: "
        "$\\partial s / \\partial {name} = {delta} \\cdot {a} = {gradient}$.",
        "这个权重乘的是 $a_{j}^{({k})} = {a}$：$\\partial s / \\partial {name} = {delta} \\cdot {a} = {gradient}$。",
    ),
    "back bias": (
        "The bias multiplies 1: $\\partial s / \\partial {name} = {delta} \\cdot 1 = {gradient}$.",
        "偏置乘的是 1：$\\partial s / \\partial {name} = {delta} \\cdot 1 = {gradient}$。",
    ),
    "back differences": (
        "By centred differences (2.1) it is ${numerical}$.",
        "用中心差分（2.1）算得 ${numerical}$。",
    ),
    "bias erratum": (
        "Both editions give the bias of neuron $i$ in layer $k$, indexed $b^{(k)}$, the gradient $\\delta_i^{(k)}$. "
        "It is $b^{(k-1)}$ that feeds layer $k$. For $b_1^{(1)}$ the printed $\\delta_1^{(1)}$ is {printed}, "
        "$\\delta_1^{(2)}$ is {right}, and differences give {numerical}.",
        "两版都把第 $k$ 层第 $i$ 个神经元的偏置记作 $b^{(k)}$，其梯度为 $\\delta_i^{(k)}$。"
        "送入第 $k$ 层的其实是 $b^{(k-1)}$。对 $b_1^{(1)}$，印出的 $\\delta_1^{(1)}$ 是 {printed}，"
        "$\\delta_1^{(2)}$ 是 {right}，差分给出 {numerical}。",
    ),
    "output erratum": (
        "The Chinese translation's note calls the error the derivative by a neuron's output. "
        "$\\partial s / \\partial a_1^{(2)}$ is {printed}; $\\delta_1^{(2)} = \\partial s / \\partial z_1^{(2)}$ is "
        "{right}, and differences give {numerical}.",
        "中译本的译者注说，误差是目标对神经元输出的导数。"
        "$\\partial s / \\partial a_1^{(2)}$ 是 {printed}；$\\delta_1^{(2)} = \\partial s / \\partial z_1^{(2)}$ 是 "
        "{right}，差分给出 {numerical}。",
    ),
    "second erratum": (
        "The same note says that passing the error back takes a higher-order derivative. It is the first-order chain "
        "rule once more: the second derivative of $s$ by $z_1^{(2)}$ is {printed}, $\\delta_1^{(2)}$ is {right}.",
        "同一条注还说，误差往回传播等价于求高阶导数。其实只是再用一次一阶链式法则："
        "$s$ 对 $z_1^{(2)}$ 的二阶导数是 {printed}，$\\delta_1^{(2)}$ 是 {right}。",
    ),
    # ------------------------------------------------------------------------------------------ 1.6
    "vectorized": (
        "## 1.6 Backpropagation by matrices\n"
        "The same numbers, a layer at a time. Each $\\delta$ is computed once and handed down.\n\n"
        "$$\\nabla_{W^{(k)}} = \\delta^{(k+1)} a^{(k)T}$$\n\n"
        "$$\\delta^{(k)} = f'(z^{(k)}) \\circ (W^{(k)T} \\delta^{(k+1)})$$\n\n"
        "Choose a network, and both ways are timed on it.",
        "## 1.6 反向传播：向量化形式\n"
        "还是那些数，一次算一层。每个 $\\delta$ 只算一次，然后传给下一层。\n\n"
        "$$\\nabla_{W^{(k)}} = \\delta^{(k+1)} a^{(k)T}$$\n\n"
        "$$\\delta^{(k)} = f'(z^{(k)}) \\circ (W^{(k)T} \\delta^{(k+1)})$$\n\n"
        "请选择一个网络，两种算法都在它上面计时。",
    ),
    "network": ("network", "网络"),
    "race": (
        "By elements {elements} ms, by matrices {matrices} ms: {ratio} times as long. The largest difference between "
        "their numbers, in float32, is {difference}.",
        "逐元素 {elements} 毫秒，向量化 {matrices} 毫秒：前者用时是后者的 {ratio} 倍。"
        "两者的数（float32）最多相差 {difference}。",
    ),
    "weight erratum": (
        "The 2019 edition gives $W_{ij}^{(k)}$ the gradient $\\delta_j^{(k+1)} a_j^{(k)}$. The error has the row's "
        "index, $\\delta_i^{(k+1)} a_j^{(k)}$. For $W_{21}^{(1)}$ the printed form is {printed}, the right {right}, "
        "and differences give {numerical}.",
        "2019 版给 $W_{ij}^{(k)}$ 的梯度是 $\\delta_j^{(k+1)} a_j^{(k)}$。误差的下标应是行号："
        "$\\delta_i^{(k+1)} a_j^{(k)}$。"
        "对 $W_{21}^{(1)}$，印出的形式给出 {printed}，正确的给出 {right}，差分给出 {numerical}。",
    ),
    "delta erratum": (
        "The 2019 edition prints $\\delta_i^{(k)} = f'(z_j^{(k)}) \\sum_i \\delta_i^{(k+1)} W_{ij}^{(k)}$, with $i$ "
        "both free and summed over. The left side is $\\delta_j^{(k)}$. Read with $i = 2$ and $j = 1$ it makes "
        "$\\delta_2^{(2)}$ {printed}; it is {right}, and differences give {numerical}.",
        "2019 版印作 $\\delta_i^{(k)} = f'(z_j^{(k)}) \\sum_i \\delta_i^{(k+1)} W_{ij}^{(k)}$，"
        "$i$ 既是自由下标，又是求和下标。"
        "左边应为 $\\delta_j^{(k)}$。取 $i = 2$、$j = 1$，它使 $\\delta_2^{(2)}$ 成为 {printed}；"
        "其实是 {right}，差分给出 {numerical}。",
    ),
}
