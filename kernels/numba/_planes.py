"""Bit planes (one bit per sample, 64 samples per word): counts are AND and popcount."""

from __future__ import annotations

import numpy as np

from ._jit import jit

WORD = 64


@jit
def words(samples):
    """Number of words that hold one bit per sample."""
    return (samples + WORD - 1) // WORD


@jit
def transpose8(block):
    """Transpose an 8 x 8 bit matrix in a uint64: bit 8 i + j goes to 8 j + i (Warren 2012, 7-3)."""
    t = (block ^ (block >> np.uint64(7))) & np.uint64(0x00AA00AA00AA00AA)
    block = block ^ t ^ (t << np.uint64(7))
    t = (block ^ (block >> np.uint64(14))) & np.uint64(0x0000CCCC0000CCCC)
    block = block ^ t ^ (t << np.uint64(14))
    t = (block ^ (block >> np.uint64(28))) & np.uint64(0x00000000F0F0F0F0)
    return block ^ t ^ (t << np.uint64(28))


@jit
def path_of_ranks(split, samples):
    """Path of each rank 0..samples in the tree: bit d is 1 if it is in the upper half at d."""
    paths = np.zeros(samples + 1, dtype=np.uint32)
    for rank in range(1, samples + 1):
        node = 1
        depth = 0
        path = 0
        while node < split.shape[0]:
            high = 1 if rank > split[node] else 0
            path |= high << depth
            node = 2 * node + high
            depth += 1
        paths[rank] = path
    return paths


@jit
def pack_paths(ranks, paths, levels, planes):
    """Bit planes of one row of ranks: planes (words x levels) gets each sample's bit of each depth.

    The paths of eight samples are the rows of an 8 x 8 bit matrix (of eight levels), whose columns
    are a byte of each plane; eight such columns are a word.
    """
    samples = ranks.shape[0]
    for low in range(0, levels, 8):
        depths = min(8, levels - low)
        for w in range(planes.shape[0]):
            at = w * WORD
            if at + WORD <= samples:
                a = _eight_paths(ranks, at, 8, paths, low)
                b = _eight_paths(ranks, at + 8, 8, paths, low)
                c = _eight_paths(ranks, at + 16, 8, paths, low)
                d = _eight_paths(ranks, at + 24, 8, paths, low)
                e = _eight_paths(ranks, at + 32, 8, paths, low)
                f = _eight_paths(ranks, at + 40, 8, paths, low)
                g = _eight_paths(ranks, at + 48, 8, paths, low)
                h = _eight_paths(ranks, at + 56, 8, paths, low)
                for depth in range(depths):
                    bits = _byte(a, depth, 0) | _byte(b, depth, 1) | _byte(c, depth, 2)
                    bits |= _byte(d, depth, 3) | _byte(e, depth, 4) | _byte(f, depth, 5)
                    planes[w, low + depth] = bits | _byte(g, depth, 6) | _byte(h, depth, 7)
            else:
                for depth in range(depths):
                    planes[w, low + depth] = np.uint64(0)
                for octet in range((samples - at + 7) // 8):
                    count = min(8, samples - at - 8 * octet)
                    block = _eight_paths(ranks, at + 8 * octet, count, paths, low)
                    for depth in range(depths):
                        planes[w, low + depth] |= _byte(block, depth, octet)


@jit
def _eight_paths(ranks, begin, count, paths, low):
    """Levels low..low + 7 of up to eight samples: one byte per level, one bit per sample."""
    block = np.uint64(0)
    for k in range(count):
        path = np.uint64(paths[np.uint32(ranks[begin + k])]) >> np.uint64(low)
        block |= (path & np.uint64(255)) << np.uint64(8 * k)
    return transpose8(block)


@jit
def _byte(block, source, target):
    """Byte number `source` of a word, moved to byte number `target`."""
    return ((block >> np.uint64(8 * source)) & np.uint64(255)) << np.uint64(8 * target)


@jit
def quarter_masks(planes, w):
    """Samples in the quarters high-high, high-low and low-high of a marginal, for one word.

    With one level of cuts the first is the upper half and the others are empty.
    """
    high = planes[w, 0]
    if planes.shape[1] == 1:
        return high, np.uint64(0), np.uint64(0)
    next_high = planes[w, 1]
    return high & next_high, high & ~next_high, ~high & next_high
