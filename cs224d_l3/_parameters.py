"""Which parameters of a module are vectors of words, not weights: one answer for 2.2, 2.4 and 2.5."""

from torch import nn


def embedding_parameters(module: nn.Module) -> set[nn.Parameter]:
    """The parameters of all embeddings in a module, wherever else they are tied to."""
    return {
        theta
        for part in module.modules()
        if isinstance(part, nn.Embedding | nn.EmbeddingBag)
        for theta in part.parameters(recurse=False)
    }
