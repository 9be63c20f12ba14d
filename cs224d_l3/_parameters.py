"""Embedding parameters of a module, which are vectors and not weights in 2.2, 2.4 and 2.5."""

from torch import nn


def embedding_parameters(module: nn.Module) -> set[nn.Parameter]:
    """The parameters of all embeddings in a module, also where another layer is tied to them."""
    return {
        theta
        for part in module.modules()
        if isinstance(part, nn.Embedding | nn.EmbeddingBag)
        for theta in part.parameters(recurse=False)
    }
