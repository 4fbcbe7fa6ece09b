"""Cases of the kernels of the copula estimator and of pruning lists of edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pysces.dispatch.cases.aracne import FIXED, LONG, _rng, _strided
from pysces.dispatch.contracts import Case


def _whole_scores(
    rng: np.random.Generator, rows: int, n: int, degree: int = 2, studentised: bool = False
) -> NDArray[np.int8]:
    """Integer scores of genes, half of which depend on one variable: h1, h2, their squares."""
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
    odd = np.full((4, 4, 2100), 125, dtype=np.int8)  # with odd sums of squares beyond 2^24
    odd[1:, :, ::5] = 3
    odd[2:, :, 1] = 2
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
        ("largest scores, studentised", np.concatenate([highest, np.abs(highest)], axis=1), odd, 2),
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
    """Every form; equal, constant and rare genes; sums beyond the exact integers of float32."""
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
    """Networks as lists, with rows that are not regulators, ties and tolerances."""
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
