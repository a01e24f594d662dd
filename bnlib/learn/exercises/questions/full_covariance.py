"""Question: why not whiten with the whole covariance? (the lecture's exercise on research directions)"""

import torch

from bnlib.learn.question import Choice

SAMPLES, FEATURES = 64, 120  # a batch below LeNet's first linear layer


def facts() -> dict[str, float]:
    X = torch.randn(SAMPLES, FEATURES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rank = torch.linalg.matrix_rank(X.T.cov(correction=0)).item()
    entries = FEATURES * (FEATURES + 1) / 2
    return {"samples": SAMPLES, "features": FEATURES, "rank": rank, "entries": entries}


EXERCISE = Choice(
    name="full_covariance",
    chapter=2,
    options=("no_gradient", "too_few_samples", "cost", "no_correlation"),
    right=frozenset({"too_few_samples", "cost"}),
    facts=facts,
)
