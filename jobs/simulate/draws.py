"""Random draws that the whole simulator shares. Every generator is keyed by seed, block and purpose, never shared between blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Generator = np.random.Generator

BIRTH = 1_000_000  # purpose: a block's people; other purposes are calendar months and night dates
NEVER = 2**30  # a day that does not come


def generator(*, seed: int, block: int, purpose: int) -> Generator:
    """The generator of a block for one purpose: equal whatever else was drawn before."""
    return np.random.default_rng(np.random.SeedSequence([seed, block, purpose]))


def choice(rng: Generator, shares: Sequence[float] | Floats, size: int) -> Ints:
    """Positions drawn by share; a share row for each draw when shares has two dimensions."""
    table = np.asarray(shares, dtype=np.float64)
    edges = np.cumsum(table, axis=-1)
    drawn = rng.random(size) * edges[..., -1]
    if table.ndim == 1:
        return np.asarray(np.minimum(np.searchsorted(edges, drawn, side="right"), table.size - 1), dtype=np.int64)
    return np.asarray(np.minimum((drawn[:, None] >= edges).sum(axis=1), table.shape[1] - 1), dtype=np.int64)


def chance(rng: Generator, probability: npt.ArrayLike, size: int) -> Bools:
    """True with the given probability."""
    return np.asarray(rng.random(size) < np.asarray(probability), dtype=np.bool_)


def lognormal(rng: Generator, median: npt.ArrayLike, sigma: npt.ArrayLike, size: int) -> Floats:
    """Lognormal amounts around a median."""
    return np.asarray(np.asarray(median) * np.exp(np.asarray(sigma) * rng.standard_normal(size)), dtype=np.float64)


def cents(amount: npt.ArrayLike) -> Ints:
    """Minor units of an amount in CNY."""
    return np.asarray(np.rint(np.asarray(amount) * 100), dtype=np.int64)


def rounded(amount: npt.ArrayLike, step: int) -> Ints:
    """Minor units of an amount, rounded to whole steps of CNY as people do."""
    return np.asarray(np.maximum(np.rint(np.asarray(amount) / step), 1) * (step * 100), dtype=np.int64)
