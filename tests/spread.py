"""Random weights for tiny models, such that different inputs get different vectors: else a fault would not show."""

import torch


def spread(model: torch.nn.Module, matrices: float = 0.4) -> None:
    """Matrices and tables wide, normalisations near one, biases small."""
    with torch.no_grad():
        for name, weights in model.named_parameters():
            is_norm = "norm" in name.lower() and name.endswith("weight")
            weights.copy_(torch.randn(weights.shape) * (matrices if weights.ndim > 1 else 0.1) + is_norm)
