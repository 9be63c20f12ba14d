"""Learning rates of a language model's parameters."""

from typing import Any

from cs224d_l3 import RecurrentLanguageModel, WindowLanguageModel, fan_in_groups


def rates(model: WindowLanguageModel | RecurrentLanguageModel, lr: float, lr_vectors: float) -> list[dict[str, Any]]:
    """Parameter groups of section 2.5: lr / sqrt(fan_in) for weights, lr for biases, lr_vectors for word vectors."""
    L = model.L.weight
    groups = [
        {**group, "params": [theta for theta in group["params"] if theta is not L]}
        for group in fan_in_groups(model, lr)
    ]
    return [*(group for group in groups if group["params"]), {"params": [L], "lr": lr_vectors}]
