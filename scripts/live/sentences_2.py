"""Sentences of the lecture's second part, 2.1 to 2.4: name -> (English, Chinese)."""

SENTENCES = {
    "run": ("Run", "运行"),
    "on demand": ("*Runs when you press the button.*", "*按下按钮后运行。*"),
    "no number": (
        "${name}$ must be a number, got “{text}”.",
        "${name}$ 应当是一个数，这里是“{text}”。",
    ),
    "number out of range": (
        "${name}$ must be a finite number, $0 \\le {name}{limit}$, got {value}.",
        "${name}$ 应当是有限的数，且 $0 \\le {name}{limit}$，这里是 {value}。",
    ),
    "how many numbers": (
        "Give one to {most} values of ${name}$, got {count}.",
        "请给出一到 {most} 个 ${name}$，这里有 {count} 个。",
    ),
    "epochs": ("epochs", "训练轮数"),
    # ------------------------------------------------------------------------------------------ 2.1
    "gradient check": (
        "## 2.1 Gradient checks\n"
        "A backward pass is a claim about a derivative, and a derivative can be measured: move one parameter by "
        "$\\epsilon$ to either side, and see how much $J$ changes.\n\n"
        "$$f'(\\theta) \\approx \\frac{J(\\theta^{(i+)}) - J(\\theta^{(i-)})}{2\\epsilon}$$\n\n"
        "$$\\theta^{(i\\pm)} = \\theta \\pm \\epsilon e_i$$\n\n"
        "It takes two forward passes a parameter, too slow to train with. To check a backward pass it is just right. "
        "Below is the one of $z = xW^T + b$. Plant an error in it, or edit it yourself.",
        "## 2.1 梯度检验\n"
        "反向传播给出的是导数，而导数可以直接测量：把一个参数向两侧各移动 $\\epsilon$，看 $J$ 变了多少。\n\n"
        "$$f'(\\theta) \\approx \\frac{J(\\theta^{(i+)}) - J(\\theta^{(i-)})}{2\\epsilon}$$\n\n"
        "$$\\theta^{(i\\pm)} = \\theta \\pm \\epsilon e_i$$\n\n"
        "每个参数要做两次前向计算，用来训练太慢，用来检验反向传播却正合适。"
        "下面是 $z = xW^T + b$ 的反向传播：可以埋入一个错误，也可以自己改。",
    ),
    "planted": ("Planted error:", "埋入的错误："),
    "planted right": ("none: it is right", "没有错误"),
    "planted sign": ("grad_W has the wrong sign", "grad_W 符号相反"),
    "planted thousandth": ("grad_W is 0.1 % too large", "grad_W 大了 0.1 %"),
    "planted index": ("grad_x takes W's columns in reverse", "grad_x 把 W 的列弄反了"),
    "planted sum": ("grad_b is not summed over the batch", "grad_b 没有对批次求和"),
    "planted saved": ("the inputs are kept on ctx, unsaved", "输入未经 save_for_backward 保存"),
    "does not parse": ("This does not parse: line {line}, {reason}.", "无法解析：第 {line} 行，{reason}。"),
    "raises": ("It raises `{error}`: {reason}", "运行时抛出 `{error}`：{reason}"),
    "no Function": (
        "Define a class that derives from `Function`; there is none.",
        "请定义一个继承自 `Function` 的类；现在一个也没有。",
    ),
    "no backward": ("`{name}` has no `backward`.", "`{name}` 没有 `backward`。"),
    "compared": (
        "$J = \\sum v \\circ z$ at one point, $\\epsilon = 10^{-5}$; of each argument the element that differs most:",
        "在一点上取 $J = \\sum v \\circ z$，$\\epsilon = 10^{-5}$；每个参数列出相差最大的元素：",
    ),
    "compared heads": (
        " | element | by formula | by differences | relative error",
        " | 元素 | 由公式 | 由差分 | 相对误差",
    ),
    "verdict": (
        "`check_gradients` bounds the error of its differences, and that bound is its tolerance. It says:",
        "`check_gradients` 会估计差分自身的误差上界，并以此作为容差。它的结论：",
    ),
    "all checks": (
        "A right gradient is not yet a right Function. `check_function` draws shapes and values, and checks what else "
        "users of a Function rely on. It finds the last two planted errors too, which the comparison above lets pass.",
        "梯度对了，还不等于 Function 就对了。`check_function` 抽取各种形状和数值，检查使用者依赖的其他性质；"
        "上面的比较放过的最后两个错误，它也能找到。",
    ),
    "run check_function": ("Run check_function", "运行 check_function"),
    "checks heads": ("check | outcome", "检查 | 结果"),
    "check failed": ("**fails**", "**未通过**"),
    "check ok": ("ok in {n} of {calls} calls", "{n} / {calls} 次通过"),
    "check unsupported": ("not offered by the Function", "该 Function 不支持"),
    "check silent": ("does not apply", "不适用"),
    "step size": (
        "**How large a step?** The centred quotient is off by $O(h^2)$, the one-sided one by $O(h)$, and both by "
        "rounding, which grows like $1/h$. Between the two lies a best $h$. Choose a unit, a place and a step.",
        "**步长取多大？** 中心差商的误差是 $O(h^2)$，单侧差商是 $O(h)$；两者都有舍入误差，随 $1/h$ 增大。"
        "两种误差之间有一个最好的 $h$。请选择单元、位置和步长。",
    ),
    "quotient heads": (" | quotient | error", " | 差商 | 误差"),
    "quotient printed": (
        "The 2019 edition prints $(J(\\theta^{(i+)}) - \\theta^{(i-)}) / 2\\epsilon$, a value of $J$ minus a "
        "parameter. With $\\epsilon = 10^{-5}$ and the unit and $z$ above it gives ${printed}$, where "
        "$f'(z) = {exact}$.",
        "2019 版印作 $(J(\\theta^{(i+)}) - \\theta^{(i-)}) / 2\\epsilon$，用 $J$ 的值减去了参数。"
        "取 $\\epsilon = 10^{-5}$ 和上面的单元与 $z$，它给出 ${printed}$，而 $f'(z) = {exact}$。",
    ),
    "snippet printed": (
        "Snippet 2.1 of the Chinese edition takes the one-sided quotient, although the text defines the centred one: "
        "with $h = 10^{-5}$ off by {one_sided}, not by {centred}. Its last three lines stand outside the "
        "loop, so the index never moves: stopped after {passes} passes for $J = \\sum_i x_i^3$, it has filled {filled} "
        "of {count} elements.",
        "中文版的代码 2.1 用了单侧差商，正文定义的却是中心差商：$h = 10^{-5}$ 时误差是 {one_sided}，而不是 {centred}。"
        "它的最后三行写在了循环之外，下标从不前进：对 $J = \\sum_i x_i^3$ 循环 {passes} 次后停下，"
        "{count} 个元素只填了 {filled} 个。",
    ),
    # ------------------------------------------------------------------------------------------ 2.2
    "regularisation": (
        "## 2.2 Regularisation\n"
        "A network with many weights can learn its training set by heart. L2 regularisation makes large weights cost "
        "something, and leaves the biases alone:\n\n"
        "$$J_R = J + \\lambda \\sum_i \\lVert W^{(i)} \\rVert_F^2$$\n\n"
        "Here a network with 60 tanh units learns a few handwritten digits. The larger $\\lambda$, the smaller the "
        "weights, and the smaller the gap between the two losses. Whether the test loss falls as well, "
        "the table tells. Too large a $\\lambda$ learns nothing.",
        "## 2.2 正则化\n"
        "权重多的网络可以把训练集背下来。L2 正则化让大的权重付出代价，偏置不受影响：\n\n"
        "$$J_R = J + \\lambda \\sum_i \\lVert W^{(i)} \\rVert_F^2$$\n\n"
        "这里用 60 个 tanh 单元的网络学习少量手写数字。$\\lambda$ 越大，权重越小，两个损失之间的差距也越小；"
        "测试损失是否也下降，请看表。$\\lambda$ 太大则什么也学不到。",
    ),
    "lambdas": ("λ, up to six", "λ，最多六个"),
    "digits": ("training digits", "训练用的数字个数"),
    "lambda diverges": (
        "With $\\lambda = {lam}$ training diverges: in epoch {epoch} a loss or a norm is not finite.",
        "$\\lambda = {lam}$ 时训练发散：第 {epoch} 轮的损失或范数不是有限的数。",
    ),
    "penalty heads": (
        "$\\lambda$ | norm | training loss | test loss | gap",
        "$\\lambda$ | 范数 | 训练损失 | 测试损失 | 差距",
    ),
    "penalty printed": (
        "Both editions print $\\lambda \\sum_i \\lVert W^{(i)} \\rVert_F$, and call it quadratic. Without the square "
        "the gradient has the same length however large the weights are, so large ones are not held back more:",
        "两个版本都印作 $\\lambda \\sum_i \\lVert W^{(i)} \\rVert_F$，却称它为平方。没有平方，"
        "不论权重多大，梯度的长度都一样，大的权重并不会受到更多约束：",
    ),
    "penalty printed heads": (
        "$\\lVert W \\rVert_F$ | gradient of $\\lVert W \\rVert_F$ | gradient of $\\lVert W \\rVert_F^2$",
        "$\\lVert W \\rVert_F$ | $\\lVert W \\rVert_F$ 的梯度长度 | $\\lVert W \\rVert_F^2$ 的梯度长度",
    ),
    # ------------------------------------------------------------------------------------------ 2.3
    "units": (
        "## 2.3 Neural units\n"
        "What a unit is good for shows in its slope: where $f'$ is 0, no error passes. Choose a unit, and move $z$.\n\n"
        "$$\\begin{aligned} \\sigma'(z) &= \\sigma(z)(1 - \\sigma(z)) \\\\ \\tanh'(z) &= 1 - \\tanh^2(z) \\\\ "
        "\\mathrm{softsign}'(z) &= \\frac{1}{(1 + |z|)^2} \\end{aligned}$$\n\n"
        "Hard tanh has slope 1 between $-1$ and 1, ReLU where $z > 0$, and 0 elsewhere; leaky ReLU keeps a slope "
        "$k$ there.",
        "## 2.3 神经单元\n"
        "一个单元好不好用，要看它的斜率：$f'$ 为 0 的地方，误差传不过去。请选择单元并移动 $z$。\n\n"
        "$$\\begin{aligned} \\sigma'(z) &= \\sigma(z)(1 - \\sigma(z)) \\\\ \\tanh'(z) &= 1 - \\tanh^2(z) \\\\ "
        "\\mathrm{softsign}'(z) &= \\frac{1}{(1 + |z|)^2} \\end{aligned}$$\n\n"
        "hard tanh 在 $-1$ 与 1 之间斜率为 1，ReLU 在 $z > 0$ 处斜率为 1，其余地方都是 0；"
        "leaky ReLU 在那里仍保留斜率 $k$。",
    ),
    "all six": ("all six", "全部六个"),
    "unit heads": ("unit | $f(z)$ | $f'(z)$", "单元 | $f(z)$ | $f'(z)$"),
    "units printed": (
        "Three derivatives of this section are misprinted; the sign function of the last stands in both editions, the "
        "first two in that of 2019. At the $z$ above:",
        "这一节有三个导数印错了：最后一个的符号函数两个版本都有，前两个见于 2019 版。在上面的 $z$ 处：",
    ),
    "units printed heads": (
        "derivative | as printed | right | by differences",
        "导数 | 印作 | 正确 | 由差分",
    ),
    "hardtanh printed": (
        "Hard tanh is printed as $-1$ if $z < 1$ (2019). That gives ${printed}$ at $z = {z}$, not ${right}$. The "
        "Chinese edition lets it saturate where $z > 1$; at $z = -2$ its slope is {slope}, so it saturates at both "
        "ends.",
        "hard tanh 印作“$z < 1$ 时为 $-1$”（2019 版），在 $z = {z}$ 处得 ${printed}$，而不是 ${right}$。"
        "中文版说它在 $z > 1$ 时饱和；而在 $z = -2$ 处斜率是 {slope}，可见两端都会饱和。",
    ),
    "lost units": (
        "**Saturated and dead units.** Three hidden layers learn the digits by SGD. How many of the activations end "
        "beyond 0.95? And how many ReLUs have slope 0 for every digit, so that they learn no more? Raise the rate.",
        "**饱和的单元与死掉的单元。** 三个隐藏层用 SGD 学习手写数字。有多少激活值的绝对值超过 0.95？"
        "又有多少 ReLU 对每个数字斜率都是 0，从此不再学习？把学习速率调大看看。",
    ),
    "lost numbers": (
        "After {epochs} epochs {tanh} % of the activations of tanh and {softsign} % of softsign's are saturated; "
        "{relu} % of the ReLUs and {leaky_relu} % of the leaky ones are dead.",
        "{epochs} 轮之后，tanh 有 {tanh} %、softsign 有 {softsign} % 的激活值饱和；"
        "ReLU 有 {relu} %、leaky ReLU 有 {leaky_relu} % 的单元死掉。",
    ),
    "training diverges": (
        "At $\\alpha = {lr}$ the network of {unit} units diverges in epoch {epoch}: a weight is not finite.",
        "$\\alpha = {lr}$ 时，{unit} 单元的网络在第 {epoch} 轮发散：有权重不是有限的数。",
    ),
}
