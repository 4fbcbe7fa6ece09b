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
    """The same values, not contiguous."""
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
    """Ranks of genes that share one hidden cause in different ways."""
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
    """Sparse and complete networks, ties, several tolerances, rows that aren't regulators."""
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
        found.append(Case(f"{rows} rows that are no regulators", others))
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


# --- copula -------------------------------------------------------------------------------------


def _whole_scores(
    rng: np.random.Generator, rows: int, n: int, degree: int = 2, studentised: bool = False
) -> NDArray[np.int8]:
    """Whole scores of genes of which half share a cause: h1, h2, their squares."""
    z = rng.normal(size=(rows, n))
    z[: rows // 2] += rng.normal(size=n)
    terms = [np.clip(np.rint(30 * h), -127, 127) for h in (z, z * z - 1)[:degree]]
    if studentised:
        terms += [np.rint(h * h / 127) for h in terms]
    return np.stack(terms, axis=1).astype(np.int8)


_FORMS = [(1, False), (2, False), (1, True), (2, True)]


def _form(degree: int, studentised: bool) -> str:
    return f"degree {degree}{', studentised' if studentised else ''}"


def _score_pairs() -> list[tuple[str, NDArray[np.int8], NDArray[np.int8], int]]:
    """Scores of rows and genes in every situation: name, rows, genes, degree."""
    rng = _rng(9)

    def scores(rows: int, n: int, degree: int = 2, studentised: bool = False) -> NDArray[np.int8]:
        return _whole_scores(rng, rows, n, degree, studentised)

    unlike = scores(5, 60)
    unlike[3] = np.where(unlike[3] < 60, 0, 127)
    flat = scores(4, 40)
    flat[2] = 5
    same = np.repeat(scores(1, 80), 4, axis=0)
    highest = np.full((3, 2, 2100), 127, dtype=np.int8)
    highest[:, :, ::7] = -127
    found = [
        ("no samples", scores(2, 0), scores(3, 0), 2),
        ("one sample", scores(2, 1), scores(3, 1), 2),
        ("two samples", scores(2, 2), scores(3, 2), 2),
        ("no regulators", scores(0, 20), scores(3, 20), 2),
        ("no genes", scores(3, 20), scores(0, 20), 2),
        ("one regulator, one gene", scores(1, 20), scores(1, 20), 2),
        ("all ties", np.full((3, 2, 30), 7, np.int8), np.full((4, 2, 30), -7, np.int8), 2),
        ("the same gene", same, same, 2),
        ("constant row", flat, scores(6, 40), 2),
        ("row unlike the rest", unlike, unlike, 2),
        ("largest scores", highest, scores(5, 2100), 2),
        ("not contiguous", _strided(scores(3, 50)), _strided(scores(5, 50)), 2),
        ("long rows", scores(1, LONG), scores(3, LONG), 2),
        ("many genes", scores(1, 9, 1), scores(LONG, 9, 1), 1),
    ]
    for degree, studentised in _FORMS:
        name = f"dependent, {_form(degree, studentised)}"
        x, y = (scores(rows, 150, degree, studentised) for rows in (9, 70))
        found.append((name, x, y, degree))
    return found


def copula_mi() -> list[Case]:
    """Every form; equal, constant and rare genes; sums beyond the whole numbers of float32."""
    return [
        Case(name, {"regulators": x, "genes": y, "degree": degree})
        for name, x, y, degree in _score_pairs()
    ]


def copula_pairs() -> list[Case]:
    """Pairs of the same genes."""
    rng = _rng(10)
    found = []
    for name, x, y, degree in _score_pairs():
        sizes = [(f"{name}, some pairs", 25)]
        if name == "row unlike the rest":
            sizes += [("no pairs", 0), ("one pair", 1)]
        for title, size in sizes:
            count = size if len(x) and len(y) else 0
            row = rng.integers(0, max(1, len(x)), size=count).astype(np.int32)
            gene = rng.integers(0, max(1, len(y)), size=count).astype(np.int32)
            given = {"rows": x, "genes": y, "row": row, "gene": gene, "degree": degree}
            found.append(Case(title, given))
    return found


def copula_edges() -> list[Case]:
    """Halves, subsamples, bootstraps and all samples of the same genes; unusable rows and genes."""
    rng = _rng(11)

    def case(
        name: str, x: NDArray[np.int8], y: NDArray[np.int8], degree: int, resamples: int = 6
    ) -> Case:
        n = x.shape[2]
        weights = np.zeros((resamples, n), dtype=np.uint8)
        for r in range(resamples):
            if r in (1, 3):
                weights[r] = 1 - weights[r - 1]  # the other half
            elif r < 4:
                weights[r, rng.permutation(n)[: n // 2]] = 1
            elif r == 4:
                weights[r] = np.bincount(rng.integers(0, max(n, 1), size=n), minlength=n)
            else:
                weights[r] = 1
        own = rng.integers(-1, max(1, len(y)), size=len(x))
        nats = rng.choice([0.0, 0.01, 0.1], size=resamples)
        return Case(
            name,
            {
                "rows": x,
                "genes": y,
                "own": own if len(y) else np.full(len(x), -1),
                "weights": weights,
                "usable_rows": rng.random((resamples, len(x))) < 0.8,
                "usable_genes": rng.random((resamples, len(y))) < 0.8,
                "thresholds": np.maximum(1, nats * FIXED).astype(np.int64),
                "degree": degree,
            },
        )

    some = _whole_scores(rng, 3, 30)
    short = [p for p in _score_pairs() if p[0] not in ("long rows", "many genes")]
    found = [case(*pair) for pair in short]
    found += [case("no resamples", some, some, 2, 0), case("one resample", some, some, 2, 1)]
    found += [
        case(*pair, resamples=1)
        for pair in _score_pairs()
        if pair[0] in ("long rows", "many genes")
    ]
    return found


def prune_edges() -> list[Case]:
    """Networks as lists, with rows that are no regulators, ties and tolerances."""
    rng = _rng(12)

    def case(
        name: str, regulators: int, decoys: int, genes: int, density: float, top: int = 1 << 50,
        kept: float = 1.0, asked: int | None = None,
    ) -> Case:  # fmt: skip
        network = rng.integers(1, top, size=(regulators + decoys, genes))
        network[rng.random(network.shape) > density] = 0
        shared = min(regulators, genes)
        partner = np.full(genes, -1, dtype=np.int32)
        partner[:shared] = np.arange(shared)
        network[np.arange(shared), np.arange(shared)] = 0
        row, gene = (places.astype(np.int32) for places in np.nonzero(network))
        order = rng.permutation(len(row))
        row, gene = row[order], gene[order]
        some = order.argsort() if asked is None else np.arange(min(asked, len(row)))
        return Case(
            name,
            {
                "row": row,
                "gene": gene,
                "mi": network[row, gene],
                "partner": partner,
                "asked": some.astype(np.int64),
                "n_regulators": regulators,
                "kept_fraction": round(kept * 2**30),
            },
        )

    return [
        case("no edges", 3, 2, 8, 0.0),
        case("no genes", 3, 2, 0, 0.5),
        case("one gene", 3, 2, 1, 1.0),
        case("one edge", 1, 0, 2, 1.0, asked=1),
        case("nothing asked", 5, 3, 30, 0.6, asked=0),
        case("one asked", 5, 3, 30, 0.6, asked=1),
        case("half of the edges", 12, 6, 60, 0.5),
        case("complete, tolerance 0.15", 9, 4, 50, 1.0, kept=0.85),
        case("all ties", 8, 4, 50, 0.7, 2),
        case("many ties, tolerance 1", 8, 4, 50, 0.9, 4, kept=0.0),
        case("constant row: complete, equal", 6, 0, 40, 1.0, 2),
        case("row unlike the rest: few edges", 9, 4, 50, 0.05),
        case("large values", 9, 4, 50, 0.8, 1 << 61, kept=0.9),
        case("many genes", 2, 1, LONG, 0.3, asked=200),
        _contiguous_not(case("not contiguous", 7, 3, 40, 0.6)),
    ]


def _contiguous_not(case: Case) -> Case:
    given = dict(case.arguments)
    given["mi"] = _strided(given["mi"])
    return Case(case.name, given)
