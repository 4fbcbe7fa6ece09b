"""Bit planes in MLX (one bit per sample, 32 samples per word), and counts of their set bits."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

WORD = 32
_BLOCK = 1 << 24  # samples packed at a time


def words(samples: int) -> int:
    """Number of words that hold one bit per sample."""
    return (samples + WORD - 1) // WORD


def path_of_ranks(split: NDArray[np.int32], samples: int) -> NDArray[np.uint32]:
    """Path of each rank 0..samples in the tree: bit d is 1 if it is in the upper half at d."""
    levels = split.shape[0].bit_length() - 1
    rank = np.arange(samples + 1)
    node = np.ones(samples + 1, dtype=np.int64)
    path = np.zeros(samples + 1, dtype=np.uint32)
    for depth in range(levels):
        high = rank > split[node]
        path |= high.astype(np.uint32) << np.uint32(depth)
        node = 2 * node + high
    path[0] = 0
    return path


def pack(ranks: mx.array, paths: mx.array, levels: int) -> mx.array:
    """Bit planes, levels x words x rows (rows innermost, for coalesced reads)."""
    rows, samples = ranks.shape
    width = words(samples)
    if levels == 0:
        return mx.zeros((0, width, rows), dtype=mx.uint32)
    step = max(1, _BLOCK // (WORD * width))
    done = []
    for begin in range(0, rows, step):
        path = paths[ranks[begin : begin + step]]
        path = mx.pad(path, [(0, 0), (0, WORD * width - samples)]).reshape(-1, width, WORD)
        place = mx.arange(WORD, dtype=mx.uint32)
        planes = [
            mx.sum(((path >> mx.array(d, dtype=mx.uint32)) & _uint32(1)) << place, axis=2)
            for d in range(levels)
        ]
        done.append(mx.stack(planes).astype(mx.uint32).transpose(0, 2, 1))
        mx.eval(done[-1])
    return mx.contiguous(mx.concatenate(done, axis=2))


def valid(samples: int) -> mx.array:
    """Mask of the bits of each word that represent samples."""
    mask = np.full(words(samples), 0xFFFFFFFF, dtype=np.uint32)
    if samples % WORD:
        mask[-1] = (1 << (samples % WORD)) - 1
    return mx.array(mask)


def popcount(word: mx.array) -> mx.array:
    """Number of set bits of each uint32, as uint32 (not available in MLX; Warren 2012, 5-1)."""
    pairs = word - ((word >> _uint32(1)) & _uint32(0x55555555))
    fours = (pairs & _uint32(0x33333333)) + ((pairs >> _uint32(2)) & _uint32(0x33333333))
    bytes_ = (fours + (fours >> _uint32(4))) & _uint32(0x0F0F0F0F)
    return (bytes_ * _uint32(0x01010101)) >> _uint32(24)


def _uint32(value: int) -> mx.array:
    return mx.array(value, dtype=mx.uint32)
