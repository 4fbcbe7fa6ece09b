"""Exact products of 8-bit integers by the dot-product instructions of AVX-512 (VNNI).

An instruction multiplies 64 pairs of bytes and adds them by fours to 16 sums of 32 bits; one in
float32 multiplies 16 pairs. It takes unsigned bytes on one side, so 128 is added to those of the
genes, and 128 times the sum of the row is subtracted in advance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types as nb_types
from numba.extending import intrinsic

from ._jit import jit

ROWS, GENES = 8, 16  # of a panel: 3 x 8 sums of 16 genes fill 24 of the 32 registers
_GROUP = 4  # samples of one instruction


def is_available() -> bool:
    """Whether this processor has the instructions."""
    try:
        return bool(binding.get_host_cpu_features().get("avx512vnni", False))
    except RuntimeError:  # the features of this processor are unknown
        return False


def _panel_product(degree: int) -> Any:
    """A function that adds the products of a panel of rows and one of genes to sums."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word, count = ir.IntType(32), ir.IntType(64)
        vector = ir.VectorType(word, GENES)
        dot = builder.module.declare_intrinsic(
            "llvm.x86.avx512.vpdpbusd.512", (), ir.FunctionType(vector, [vector] * 3)
        )

        def pointer(array: int) -> Any:
            given = context.make_array(signature.args[array])(context, builder, arguments[array])
            return builder.gep(given.data, [arguments[array + 1]])

        x, y, out = pointer(0), pointer(2), pointer(4)
        stride, groups = arguments[6], arguments[7]

        def at(base: Any, offset: Any, kind: Any) -> Any:
            return builder.bitcast(builder.gep(base, [offset]), kind.as_pointer())

        def spread(value: Any) -> Any:
            first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, word(0))
            return builder.shuffle_vector(
                first, ir.Constant(vector, ir.Undefined), ir.Constant(vector, [0] * GENES)
            )

        # Term of the row and of the gene in each sum
        terms = [(0, 0), (1, 0), (0, 1)][: 2 * degree - 1]
        places = [
            at(out, builder.mul(stride, count(t * ROWS + i)), vector)
            for t in range(len(terms))
            for i in range(ROWS)
        ]
        begin = [builder.load(place, align=4) for place in places]
        before = builder.block
        loop, after = builder.append_basic_block(), builder.append_basic_block()
        builder.cbranch(builder.icmp_signed(">", groups, count(0)), loop, after)
        builder.position_at_end(loop)
        k = builder.phi(count)
        sums = [builder.phi(vector) for _ in places]
        x_row = builder.mul(k, count(degree * ROWS))
        y_row = builder.mul(k, count(degree * GENES))
        genes = [
            builder.load(at(y, builder.add(y_row, count(t * GENES)), vector), align=4)
            for t in range(degree)
        ]
        rows = [
            spread(builder.load(builder.gep(x, [builder.add(x_row, count(t * ROWS + i))])))
            for t in range(degree)
            for i in range(ROWS)
        ]
        added = [
            builder.call(dot, [sums[t * ROWS + i], genes[of_gene], rows[of_row * ROWS + i]])
            for t, (of_row, of_gene) in enumerate(terms)
            for i in range(ROWS)
        ]
        following = builder.add(k, count(1))
        builder.cbranch(builder.icmp_signed("<", following, groups), loop, after)
        k.add_incoming(count(0), before)
        k.add_incoming(following, loop)
        for total, first, later in zip(sums, begin, added, strict=True):
            total.add_incoming(first, before)
            total.add_incoming(later, loop)
        builder.position_at_end(after)
        ends = [builder.phi(vector) for _ in places]
        for total, first, later in zip(ends, begin, added, strict=True):
            total.add_incoming(first, before)
            total.add_incoming(later, loop)
        for place, total in zip(places, ends, strict=True):
            builder.store(total, place, align=4)
        return context.get_dummy_value()

    def product(
        typing_context: Any, x: Any, x_at: Any, y: Any, y_at: Any, out: Any, out_at: Any,
        stride: Any, groups: Any,
    ) -> Any:  # fmt: skip
        return nb_types.void(x, nb_types.intp, y, nb_types.intp, out, *[nb_types.intp] * 3), code

    return intrinsic(product)


panel_product_1 = _panel_product(1)
panel_product_2 = _panel_product(2)


@jit
def by_samples(scores, terms, lanes, flip):
    """Scores by sample, [panels, samples, terms x lanes]; 0 beyond the last gene.

    flip: 128, which makes the bytes unsigned and adds 128, or 0.
    """
    genes, _, n = scores.shape
    panels = (genes + lanes - 1) // lanes
    out = np.zeros((panels, n, terms * lanes), dtype=np.uint8)
    for p in range(panels):
        for t in range(terms):
            for j in range(min(lanes, genes - p * lanes)):
                values = scores[p * lanes + j, t]
                for i in range(n):
                    out[p, i, t * lanes + j] = np.uint8(values[i]) ^ np.uint8(flip)
    return out


@jit
def pack(bytes_by_sample, samples, flip, out):
    """Words of four samples, [panels, groups, terms x lanes]; `flip` beyond the last sample."""
    nothing = np.full(bytes_by_sample.shape[2], np.uint8(flip))
    n = len(samples)
    for p in range(out.shape[0]):
        own = bytes_by_sample[p]
        for k in range((n + _GROUP - 1) // _GROUP):
            first = own[samples[_GROUP * k]]
            second = own[samples[_GROUP * k + 1]] if _GROUP * k + 1 < n else nothing
            third = own[samples[_GROUP * k + 2]] if _GROUP * k + 2 < n else nothing
            fourth = own[samples[_GROUP * k + 3]] if _GROUP * k + 3 < n else nothing
            word = out[p, k]
            for j in range(len(nothing)):
                low = np.uint32(first[j]) | (np.uint32(second[j]) << np.uint32(8))
                high = np.uint32(third[j]) | (np.uint32(fourth[j]) << np.uint32(8))
                word[j] = low | (high << np.uint32(16))


@jit
def add_products(x_words, y_words, degree, fresh, sums):
    """Set sums [1 or 3, ROWS, genes] to the products of a panel of rows and all genes, or add them.

    The sums are those of (h1, h1) and, for degree 2, of (h2, h1) and (h1, h2).
    """
    groups, width = len(x_words), sums.shape[2]
    totals = np.zeros(degree * ROWS, dtype=np.int32)
    for k in range(groups):
        words = x_words[k]
        for j in range(len(totals)):
            word = words[j]
            for byte in range(_GROUP):
                totals[j] += np.int32(np.int8(word >> np.uint32(8 * byte)))
    for t in range(len(sums)):
        for i in range(ROWS):
            shift = np.int32(-128 * totals[(t == 1) * ROWS + i])
            row = sums[t, i]
            if fresh:
                for g in range(width):
                    row[g] = shift
            else:
                for g in range(width):
                    row[g] += shift
    for p in range(len(y_words)):
        if degree == 1:
            panel_product_1(x_words, 0, y_words[p], 0, sums, p * GENES, width, groups)
        else:
            panel_product_2(x_words, 0, y_words[p], 0, sums, p * GENES, width, groups)
