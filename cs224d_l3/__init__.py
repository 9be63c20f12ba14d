r"""Stanford CS224d, Lecture 3 (Mundra and Socher), as executable PyTorch.

Every backward pass is written by hand, from the notes, as a ``torch.autograd.Function``.

======== ======================== =============================================================
section  module                   contents
======== ======================== =============================================================
1.1      ``neuron``               $a = f(w^T x + b)$
1.2      ``layer``                $z = Wx + b$, $a = f(z)$; word vectors
1.3      ``windows``              windows of words, true and corrupt
1.3      ``feed_forward``         $s = U^T f(Wx + b)$
1.4      ``max_margin``           $J = \max(0, \Delta + s_c - s)$
1.4      ``fused_window_margin``  1.2 to 1.4 as one fused Function
1.5, 1.6 ``backprop``             $\delta^{(k)} = f'(z^{(k)}) \circ (W^{(k)T} \delta^{(k+1)})$
2.1      ``gradient_check``       $(J(\theta + h) - J(\theta - h)) / 2h$
2.2      ``regularization``       $\lambda \sum_i \lVert W^{(i)} \rVert_F^2$
2.3      ``units``                sigmoid, tanh, hard tanh, soft sign, ReLU, leaky ReLU
2.4      ``xavier``               $W \sim U[-r, r]$, $r^2 = 6 / (n^{(l)} + n^{(l+1)})$
2.5      ``learning_rate``        $\alpha / \sqrt{n}$, $\alpha_0 \tau / \max(t, \tau)$
2.6      ``adagrad``              $\theta \leftarrow \theta - \alpha g / \sqrt{\sum g^2 + \epsilon}$
–        ``softmax``              $J = -\log \operatorname{softmax}(z)_t$
–        ``fused_softmax``        the same with $z = Wx + b$, in blocks
–        ``fused_window_softmax`` the window network of 1.3 with it, as one fused Function
–        ``recurrent``            $a_t = f(W x_t + H a_{t-1} + b)$
–        ``through_time``         its gradients by elements, and by matrices
–        ``language_model``       $p(w_t \mid w_1 \ldots w_{t-1}) = \operatorname{softmax}(U a + c)_{w_t}$
–        ``text``                 corpora; tagging and generation with trained networks
======== ======================== =============================================================
"""

# 1.1 Neurons
from .neuron import activation, augmented_activation

# 1.2 Layers
from .layer import Layer, WordVectors, affine, embedding

# 1.3 Feed-forward computation
from .windows import corrupt, sliding_windows
from .feed_forward import WindowClassifier, WindowInput, WindowScorer, score

# 1.4 The max-margin objective
from .max_margin import MaxMarginLoss, max_margin_loss
from .fused_window_margin import window_margin_loss

# 1.5, 1.6 Backpropagation
from .backprop import Gradients, elementwise_gradients, vectorized_gradients

# 2.1 Gradient check
from .gradient_check import (
    GradientCheckError,
    check_gradients,
    numerical_gradient,
    numerical_jacobian,
    relative_error,
)

# 2.2 Regularisation
from .regularization import l2_penalty, weight_matrices

# 2.3 Neural units
from .units import (
    UNITS,
    Hardtanh,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softsign,
    Tanh,
    Unit,
    hardtanh,
    hardtanh_prime,
    leaky_relu,
    leaky_relu_prime,
    relu,
    relu_prime,
    sigmoid,
    sigmoid_prime,
    softsign,
    softsign_prime,
    tanh,
    tanh_prime,
)

# 2.4 Xavier initialisation
from .xavier import init_xavier, xavier_uniform_

# 2.5 Learning rates
from .learning_rate import InverseDecay, fan_in_groups

# 2.6 AdaGrad
from .adagrad import AdaGrad

# Beyond the numbered sections: the softmax objective, and the notes' closing section, language models
from .softmax import SoftmaxCrossEntropyLoss, softmax_cross_entropy
from .fused_softmax import affine_softmax_cross_entropy
from .fused_window_softmax import window_softmax_loss
from .recurrent import Elman, elman
from .through_time import RecurrentGradients, elementwise_gradients_through_time, vectorized_gradients_through_time
from .language_model import RecurrentLanguageModel, WindowLanguageModel
from ._dropout import dropout

__version__ = "0.1.0"

__all__ = [
    # 1.1 Neurons
    "activation",
    "augmented_activation",
    # 1.2 Layers
    "Layer",
    "WordVectors",
    "affine",
    "embedding",
    # 1.3 Feed-forward computation
    "corrupt",
    "sliding_windows",
    "WindowClassifier",
    "WindowInput",
    "WindowScorer",
    "score",
    # 1.4 The max-margin objective
    "MaxMarginLoss",
    "max_margin_loss",
    "window_margin_loss",
    # 1.5, 1.6 Backpropagation
    "Gradients",
    "elementwise_gradients",
    "vectorized_gradients",
    # 2.1 Gradient check
    "GradientCheckError",
    "check_gradients",
    "numerical_gradient",
    "numerical_jacobian",
    "relative_error",
    # 2.2 Regularisation
    "l2_penalty",
    "weight_matrices",
    # 2.3 Neural units
    "UNITS",
    "Hardtanh",
    "LeakyReLU",
    "ReLU",
    "Sigmoid",
    "Softsign",
    "Tanh",
    "Unit",
    "hardtanh",
    "hardtanh_prime",
    "leaky_relu",
    "leaky_relu_prime",
    "relu",
    "relu_prime",
    "sigmoid",
    "sigmoid_prime",
    "softsign",
    "softsign_prime",
    "tanh",
    "tanh_prime",
    # 2.4 Xavier initialisation
    "init_xavier",
    "xavier_uniform_",
    # 2.5 Learning rates
    "InverseDecay",
    "fan_in_groups",
    # 2.6 AdaGrad
    "AdaGrad",
    # Beyond the numbered sections: the softmax objective, and the notes' closing section, language models
    "SoftmaxCrossEntropyLoss",
    "softmax_cross_entropy",
    "affine_softmax_cross_entropy",
    "window_softmax_loss",
    "Elman",
    "elman",
    "RecurrentGradients",
    "elementwise_gradients_through_time",
    "vectorized_gradients_through_time",
    "RecurrentLanguageModel",
    "WindowLanguageModel",
    "dropout",
]
