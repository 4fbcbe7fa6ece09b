"""Cases of the ARACNe kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pysces.dispatch.contracts import Case

LONG = 65_536 + 3
FIXED = 1 << 40


def _rng(number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=number))


def _strided(array: NDArray[Any]) -> NDArray[Any]:
    """The same values in an array that is not contiguous."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), dtype=array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def _permutations(rng: np.random.Generator, rows: int, n: int) -> NDArray[np.int32]:
    return np.array([rng.permutation(n) + 1 for _ in range(rows)], dtype=np.int32).reshape(rows, n)


def _n_log_n(n: int) -> NDArray[np.int64]:
    return np.array([round(c * math.log(c) * FIXED) if c else 0 for c in range(n + 1)], np.int64)


# --- ranks --------------------------------------------------------------------------------------


def _awkward_values() -> list[tuple[str, NDArray[np.float64]]]:
    rng = _rng(1)
    unlike = rng.normal(size=(6, 40))
    unlike[3] *= 1e300
    extremes = np.array([[0.0, -0.0, np.inf, -np.inf, 5e-324, -5e-324, 1.0, 1.0 + 2**-52]])
    return [
        ("no rows", np.empty((0, 7))),
        ("no columns", np.empty((3, 0))),
        ("one value", np.array([[2.5]])),
        ("one column", np.arange(3.0)[:, None]),
        ("one row", rng.normal(size=(1, 33))),
        ("all ties", np.zeros((4, 50))),
        ("constant row", np.vstack([rng.normal(size=(2, 30)), np.full((1, 30), 7.0)])),
        ("zero-inflated counts", rng.poisson(0.4, size=(9, 200)).astype(float)),
        ("not contiguous", _strided(rng.normal(size=(5, 61)))),
        ("row unlike the rest", unlike),
        ("extremes", extremes),
        ("float64 neighbours", 1.0 + rng.integers(0, 4, size=(3, 64)) * 2.0**-52),
        ("long rows", np.round(rng.normal(size=(2, LONG)), 3)),
        ("many rows", rng.integers(0, 3, size=(LONG, 3)).astype(float)),
    ]


def ordinal_ranks() -> list[Case]:
    """Values with ties of every kind, in both directions."""
    return [
        Case(
            f"{name}, {'descending' if descending else 'ascending'}",
            {
                "values": values,
                "keys": _rng(2).integers(0, 2**64, size=len(values), dtype=np.uint64),
                "descending": descending,
            },
        )
        for name, values in _awkward_values()
        for descending in (False, True)
    ]


def average_ranks() -> list[Case]:
    """Values with ties of every kind, and missing ones."""
    missing = _rng(3).poisson(1.0, size=(4, 60)).astype(float)
    missing[0, ::7] = np.nan
    missing[2] = np.nan
    values = [*_awkward_values(), ("missing values", missing)]
    return [Case(name, {"values": array}) for name, array in values]


# --- mutual information -------------------------------------------------------------------------


def tables(n: int, rng: np.random.Generator | None = None) -> dict[str, Any]:
    """A partition of ranks 1 ... n down to cells of four: halves, or uneven cuts from ``rng``."""
    depth = 1 if n else 0
    while n and math.ceil(n / 2 ** (depth - 1)) >= 5 and depth < 20:
        depth += 1
    low, high = np.zeros(2 << depth, dtype=np.int64), np.zeros(2 << depth, dtype=np.int64)
    high[1] = n
    split = np.zeros(1 << depth, dtype=np.int32)
    for node in range(1, 1 << depth):
        a, b = int(low[node]), int(high[node])
        middle = (a + b) // 2 if rng is None else int(rng.integers(a, b + 1))
        split[node] = middle
        low[2 * node], high[2 * node] = a, middle
        low[2 * node + 1], high[2 * node + 1] = middle, b
    width = np.maximum(high - low, 1)
    return {
        "split": split,
        "log_width": np.round(np.log(width) * FIXED).astype(np.int64),
        "n_log_n": _n_log_n(n),
        "min_count": 3,
    }


def _dependent(rng: np.random.Generator, rows: int, n: int) -> NDArray[np.int32]:
    """Ranks of genes that depend on one hidden variable in different ways."""
    cause = rng.normal(size=n)
    noise = rng.normal(size=(rows, n)) * rng.choice([0.05, 0.5, 2.0], size=(rows, 1))
    shape = np.arange(rows)[:, None] % 3
    signal = np.where(shape == 0, cause, np.where(shape == 1, -cause, cause**2))
    return (np.argsort(np.argsort(signal + noise, axis=1), axis=1) + 1).astype(np.int32)


def adaptive_mi() -> list[Case]:
    """Independent and dependent genes; even and uneven partitions; short and long ranks."""
    rng = _rng(4)

    def case(name: str, x: NDArray[np.int32], y: NDArray[np.int32], **changed: Any) -> Case:
        return Case(name, {"regulators": x, "genes": y, **tables(x.shape[1]), **changed})

    def ranks(rows: int, n: int) -> NDArray[np.int32]:
        return _permutations(rng, rows, n)

    same = np.tile(np.arange(1, 101, dtype=np.int32), (3, 1))
    unlike = ranks(5, 90)
    unlike[3] = np.arange(1, 91)
    return [
        case("no samples", ranks(2, 0), ranks(3, 0)),
        case("one sample", ranks(2, 1), ranks(3, 1)),
        case("two samples", ranks(2, 2), ranks(3, 2)),
        case("no regulators", ranks(0, 50), ranks(3, 50)),
        case("no genes", ranks(2, 50), ranks(0, 50)),
        case("one regulator, one gene", ranks(1, 50), ranks(1, 50)),
        case("one gene", ranks(4, 13), ranks(1, 13)),
        *(case(f"independent, {n} samples", ranks(4, n), ranks(70, n)) for n in (8, 64, 127, 200)),
        *(
            case(f"dependent, {n} samples", _dependent(rng, 5, n), _dependent(rng, 9, n))
            for n in (65, 333, 1000)
        ),
        case("all in one order, as ranks of ties", same, same),
        case("constant row: one ordering in all genes", ranks(2, 100), same),
        case("row unlike the rest", unlike, unlike),
        case("not contiguous", _strided(ranks(2, 40)), _strided(ranks(5, 40))),
        case("uneven cuts", _dependent(rng, 3, 120), _dependent(rng, 6, 120), **tables(120, rng)),
        case("larger minimum count", same, same, min_count=9),
        case("long ranks", _dependent(rng, 1, LONG), _dependent(rng, 3, LONG)),
        case("many genes", ranks(1, 9), ranks(LONG, 9)),
    ]


def adaptive_edges() -> list[Case]:
    """Thresholds that few, many and all pairs reach; ties; decoys; genes of their own."""
    rng = _rng(23)

    def case(name: str, x: NDArray[np.int32], y: NDArray[np.int32], n: int, **changed: Any) -> Case:
        many = changed.pop("resamples", 2)
        total = x.shape[1]
        draws = [np.sort(rng.choice(total, n, replace=total == n > 1)) for _ in range(many)]
        chosen = np.array(draws, dtype=np.int32).reshape(many, n)
        given = {
            "rows": x,
            "genes": y,
            "own": rng.integers(-1, len(y), len(x)),
            "chosen": chosen,
            "row_keys": rng.integers(0, 2**63, (many, len(x)), dtype=np.uint64),
            "gene_keys": rng.integers(0, 2**63, (many, len(y)), dtype=np.uint64),
            "thresholds": np.full(many, max(1, int(0.3 * n * FIXED)), dtype=np.int64),
            "n_regulators": len(x) // 2,
            "descending": False,
            **tables(n),
        }
        return Case(name, {**given, **changed})

    x, y = _dependent(rng, 6, 130), _dependent(rng, 90, 130)
    tied = (y // 20).astype(np.int32)
    constant, unlike = y.copy(), y.copy()
    constant[3], unlike[3] = 7, np.arange(130)
    every = np.ones(2, dtype=np.int64)
    one = {"n_regulators": 1, "own": np.array([-1])}
    return [
        case("no samples", x[:, :0], y[:, :0], 0),
        case("one sample", x[:, :1], y[:, :1], 1),
        case("no samples chosen", x, y, 0),
        case("one sample chosen", x, y, 1),
        case("no rows", x[:0], y, 60),
        case("no genes", x, y[:, :0].reshape(0, 130), 60),
        case("no resamples", x, y, 60, resamples=0),
        case("one resample, half of the samples", x, y, 65, resamples=1),
        case("bootstrap", x, y, 130),
        case("descending", x, y, 63, descending=True),
        case("ties", tied[:5], tied, 64),
        case("constant row", constant[:5], constant, 64, thresholds=every),
        case("row unlike the rest", unlike[:5], unlike, 64),
        case("not contiguous", _strided(x), _strided(y), 65),
        case("every pair", x, y, 33, thresholds=every),
        case("no pair", x, y, 65, thresholds=every * 2**60),
        case("all regulators", x, y, 65, n_regulators=6, own=np.full(6, -1)),
        case("one row, one gene", x[:1], y[:1], 40, **one),
        case("many genes", x[:1, :9], _permutations(rng, LONG, 9), 9, resamples=1, **one),
    ]


def adaptive_leaves() -> list[Case]:
    """Pairs of genes in every kind of dependence; even and uneven partitions."""
    rng = _rng(17)

    def case(name: str, x: NDArray[np.int32], y: NDArray[np.int32], **changed: Any) -> Case:
        made = {**tables(x.shape[1]), **changed}
        kept = {"split": made["split"], "min_count": made["min_count"]}
        return Case(name, {"first": x, "second": y, **kept})

    def ranks(rows: int, n: int) -> NDArray[np.int32]:
        return _permutations(rng, rows, n)

    same = np.tile(np.arange(1, 101, dtype=np.int32), (3, 1))
    unlike = ranks(5, 90)
    unlike[3] = np.arange(1, 91)
    return [
        case("no samples", ranks(2, 0), ranks(2, 0)),
        case("no samples, but cuts", ranks(2, 0), ranks(2, 0), split=np.zeros(4, np.int32)),
        case("one sample", ranks(2, 1), ranks(2, 1)),
        case("no pairs", ranks(0, 50), ranks(0, 50)),
        case("one pair", ranks(1, 50), ranks(1, 50)),
        case("independent", ranks(20, 127), ranks(20, 127)),
        case("dependent", _dependent(rng, 9, 333), _dependent(rng, 9, 333)),
        case("all in one order, as ranks of ties", same, same),
        case("constant row: one ordering in all genes", ranks(3, 100), same),
        case("row unlike the rest", unlike, unlike[::-1].copy()),
        case("not contiguous", _strided(ranks(2, 40)), _strided(ranks(2, 40))),
        case("uneven cuts", _dependent(rng, 6, 120), _dependent(rng, 6, 120), **tables(120, rng)),
        case("larger minimum count", same, same, min_count=9),
        case("long ranks", _dependent(rng, 1, LONG), _dependent(rng, 1, LONG)),
    ]


def binned_mi() -> list[Case]:
    """Even and uneven bins, empty bins, one bin, with and without the correction."""
    rng = _rng(5)

    def bins(rows: int, n: int, n_bins: int) -> NDArray[np.uint8]:
        return rng.integers(0, n_bins, size=(rows, n)).astype(np.uint8)

    def case(name: str, x: NDArray[np.uint8], y: NDArray[np.uint8], n_bins: int = 10) -> list[Case]:
        plain = {"regulators": x, "genes": y, "n_bins": n_bins, "n_log_n": _n_log_n(x.shape[1])}
        return [
            Case(name, {**plain, "half_cell": 0}),
            Case(f"{name}, corrected", {**plain, "half_cell": FIXED // 2}),
        ]

    unlike = bins(5, 300, 10)
    unlike[2] = np.arange(300) % 10
    skewed = (rng.random((6, 500)) < 0.05).astype(np.uint8) * 9
    same = np.tile(np.repeat(np.arange(10, dtype=np.uint8), 30), (4, 1))
    return [
        *case("no samples", bins(2, 0, 3), bins(3, 0, 3), 3),
        *case("one sample", bins(2, 1, 3), bins(3, 1, 3), 3),
        *case("no regulators", bins(0, 20, 3), bins(3, 20, 3), 3),
        *case("no genes", bins(2, 20, 3), bins(0, 20, 3), 3),
        *case("one regulator, one gene", bins(1, 20, 3), bins(1, 20, 3), 3),
        *case("one bin: all ties", bins(2, 50, 1), bins(3, 50, 1), 1),
        *case("constant row", np.zeros((2, 80), np.uint8), bins(3, 80, 10)),
        *case("ten bins", bins(4, 200, 10), bins(30, 200, 10)),
        *case("the same bins", same, same),
        *case("row unlike the rest", unlike, unlike),
        *case("mostly zero", skewed, skewed),
        *case("not contiguous", _strided(bins(2, 90, 7)), _strided(bins(4, 90, 7)), 7),
        *case("many bins", bins(2, 700, 255), bins(3, 700, 255), 255),
        *case("long rows", bins(1, LONG, 10), bins(3, LONG, 10)),
        *case("many regulators", bins(LONG, 12, 3), bins(1, 12, 3), 3)[1:],
    ]


# --- data processing inequality -----------------------------------------------------------------


def _network(
    rng: np.random.Generator, regulators: int, genes: int, density: float = 0.5, top: int = 1 << 50
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """MI of regulators with each other (symmetric, 0 on the diagonal) and with genes."""
    network = rng.integers(1, top, size=(regulators, genes))
    network[rng.random(network.shape) > density] = 0
    between = rng.integers(1, top, size=(regulators, regulators))
    between[rng.random(between.shape) > density] = 0
    between = np.triu(between, 1)
    between = between + between.T
    shared = min(regulators, genes)
    network[:, :shared] = between[:, :shared]
    return between, network


def _networks() -> list[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
    rng = _rng(6)
    plain = _network(rng, 12, 60)
    unlike = _network(rng, 12, 60)
    unlike[1][5] *= 1000
    between, network = _network(rng, 5, 40)
    return [
        ("no regulators", *_network(rng, 0, 9)),
        ("no genes", *_network(rng, 4, 0)),
        ("one regulator", *_network(rng, 1, 9)),
        ("one gene", *_network(rng, 4, 1)),
        ("half of the edges", *plain),
        ("complete", *_network(rng, 9, 50, 1.0)),
        ("all ties", *_network(rng, 8, 50, 0.7, 2)),
        ("many ties", *_network(rng, 8, 50, 0.9, 4)),
        ("constant row: no edges", between, np.vstack([network[:4], np.zeros((1, 40), np.int64)])),
        ("row unlike the rest", *unlike),
        ("not contiguous", _strided(between), _strided(network)),
        ("large values", *_network(rng, 9, 50, 0.8, 1 << 61)),
        ("many genes", *_network(rng, 2, LONG, 0.6)),
    ]


def dpi() -> list[Case]:
    """Sparse and complete networks, ties, several tolerances, rows that are not regulators."""
    rng = _rng(7)
    found = [
        Case(
            f"{name}, tolerance {tolerance}",
            {
                "edges": network,
                "between": between,
                "network": network,
                "kept_fraction": round((1 - tolerance) * 2**30),
            },
        )
        for name, between, network in _networks()
        for tolerance in ((0.0,) if name == "many genes" else (0.0, 0.15, 1.0))
    ]
    _, network = _network(rng, 7, 50, 0.8)
    for rows in (0, 1, LONG):
        few = network[:, :3] if rows == LONG else network
        others = {
            "edges": rng.integers(0, 1 << 50, size=(rows, few.shape[1])),
            "between": rng.integers(0, 1 << 50, size=(rows, 7)),
            "network": few,
            "kept_fraction": 1 << 30,
        }
        found.append(Case(f"{rows} rows that are not regulators", others))
    many = {
        "edges": rng.integers(1, 1 << 50, size=(2, 2)),
        "between": rng.integers(0, 1 << 50, size=(2, LONG)),
        "network": rng.integers(0, 1 << 50, size=(LONG, 2)),
        "kept_fraction": 1 << 30,
    }
    return [*found, Case("many regulators", many)]


def weakest_pairs() -> list[Case]:
    """The same networks."""
    return [
        Case(name, {"between": between, "network": network})
        for name, between, network in _networks()
    ]


# --- correlation --------------------------------------------------------------------------------


def rank_products() -> list[Case]:
    """Doubled average ranks with and without ties; pairs of a gene with itself."""
    rng = _rng(8)

    def case(name: str, ranks: NDArray[np.int32], pairs: int) -> Case:
        genes = len(ranks)
        first = rng.integers(0, max(genes, 1), size=pairs)
        second = rng.integers(0, max(genes, 1), size=pairs)
        return Case(name, {"ranks": ranks, "first": first, "second": second})

    unlike = 2 * _permutations(rng, 5, 60)
    unlike[2] = np.arange(2, 122, 2)[::-1]
    flat = np.full((3, 40), 41, dtype=np.int32)
    return [
        case("no pairs", 2 * _permutations(rng, 4, 30), 0),
        case("no genes", np.empty((0, 30), np.int32), 0),
        case("no samples", np.empty((3, 0), np.int32), 4),
        case("one sample", np.full((3, 1), 2, np.int32), 1),
        case("one gene", 2 * _permutations(rng, 1, 30), 3),
        case("independent", 2 * _permutations(rng, 20, 200), 90),
        case("all ties", flat, 7),
        case("constant row", np.vstack([2 * _permutations(rng, 2, 40), flat[:1]]), 9),
        case("row unlike the rest", unlike, 25),
        case("not contiguous", _strided(2 * _permutations(rng, 4, 50)), 9),
        case("long rows", 2 * _permutations(rng, 3, LONG), 6),
        case("many pairs", 2 * _permutations(rng, 3, 5), LONG),
        case("many genes", 2 * _permutations(rng, LONG, 2), 50),
    ]
