"""Cases of the VIPER kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from pysces.dispatch.contracts import Case

LONG = 65_536 + 3


def _rng(number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=number))


def _strided(array: NDArray[Any]) -> NDArray[Any]:
    """The same values in an array that is not contiguous."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), dtype=array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def _signatures(seed: int) -> list[tuple[str, NDArray[np.float64]]]:
    """Cells x genes, all edge cases."""
    rng = _rng(seed)
    unlike = rng.normal(size=(7, 60))
    unlike[3] *= 1e6
    missing = rng.normal(size=(6, 50))
    missing[rng.random(missing.shape) < 0.2] = np.nan
    missing[4] = np.nan
    constant = rng.normal(size=(4, 30))
    constant[2] = 1.5
    counts = np.log1p(rng.poisson(0.7, size=(5, 200)).astype(float))
    return [
        ("no cells", np.empty((0, 12))),
        ("no genes", np.empty((3, 0))),
        ("one cell", rng.normal(size=(1, 40))),
        ("one gene", rng.normal(size=(5, 1))),
        ("two genes", rng.normal(size=(3, 2))),
        ("all ties", np.zeros((4, 25))),
        ("constant row", constant),
        ("row unlike the rest", unlike),
        ("zero-inflated counts", counts),
        ("missing values", missing),
        ("not contiguous", _strided(rng.normal(size=(5, 61)))),
        ("independent", rng.normal(size=(9, 120))),
        ("long rows", np.round(rng.normal(size=(2, LONG)), 3)),
        ("many cells", rng.integers(-2, 3, size=(LONG, 3)).astype(float)),
    ]


def _regulons(rng: np.random.Generator, genes: int) -> dict[str, NDArray[Any]]:
    """Regulons of many sizes (an empty one and one of a single target among them)."""
    sizes = [min(size, genes) for size in (0, 1, 2, 5, 30, 4, 17)]
    edges = sum(sizes)
    none = np.zeros(0, dtype=np.int64)
    targets = [np.sort(rng.choice(genes, size=k, replace=False)) if k else none for k in sizes]
    mode = rng.uniform(-1, 1, size=edges)
    mode[:: max(1, edges // 3)] = 1.0
    mode[1 :: max(1, edges // 4)] = 0.0
    return {
        "indptr": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        "targets": np.concatenate(targets).astype(np.int32),
        "mode": mode,
        "likelihood": rng.uniform(0.01, 1, size=edges),
    }


def _no_regulons() -> dict[str, NDArray[Any]]:
    return {
        "indptr": np.zeros(1, dtype=np.int64),
        "targets": np.zeros(0, dtype=np.int32),
        "mode": np.zeros(0),
        "likelihood": np.zeros(0),
    }


def _one_target() -> dict[str, NDArray[Any]]:
    return {
        "indptr": np.array([0, 1], dtype=np.int64),
        "targets": np.zeros(1, dtype=np.int32),
        "mode": np.array([-0.5]),
        "likelihood": np.array([0.25]),
    }


def _quantiles(n: int) -> NDArray[np.float64]:
    table = ndtri(np.arange(2 * n + 3) / (2 * (n + 1)))
    table[[0, -1]] = 0.0
    return table


def _tables(signature: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    present = np.sum(~np.isnan(signature), axis=1)
    lengths, which = np.unique(present, return_inverse=True)
    tables = [_quantiles(int(n)) for n in lengths] or [np.zeros(3)]
    starts = np.cumsum([0, *(len(table) for table in tables[:-1])]).astype(np.int64)
    return {
        "table_start": starts[which] if len(signature) else np.zeros(0, dtype=np.int64),
        "quantiles": np.concatenate(tables),
    }


def _with_regulons(seed: int) -> list[tuple[str, NDArray[np.float64], dict[str, NDArray[Any]]]]:
    """All edge cases of signatures with regulons; one regulon; none."""
    rng = _rng(seed + 1000)
    plain = rng.normal(size=(4, 30))
    found = [
        (name, values, _regulons(rng, values.shape[1]) if values.shape[1] else _no_regulons())
        for name, values in _signatures(seed)
    ]
    found.append(("no regulons", plain, _no_regulons()))
    found.append(("one regulon of one target", plain, _one_target()))
    return found


# --- signatures -----------------------------------------------------------------------------------


def _expression(seed: int) -> list[tuple[str, NDArray[np.float64]]]:
    rng = _rng(seed)
    extreme = np.array([[0.0, 1e-30, 1e30, 1.0, -1.0], [5.0, -1e-30, -1e30, 1.0 + 2**-52, 1.0]])
    shifted = 1000.0 + rng.normal(size=(40, 6))
    return [*_signatures(seed), ("extremes", extreme), ("far from zero", shifted)]


def gene_sums() -> list[Case]:
    """Values of all magnitudes, with the exponents of their genes."""
    cases = []
    tiny = np.array([[5e-324, 1e-300, 0.0, 1e308], [0.0, -1e-290, -0.0, -1e300]])
    for name, values in [*_expression(12), ("subnormal and huge", tiny)]:
        largest = np.where(np.isnan(values), 0.0, np.abs(values)).max(axis=0, initial=0.0)
        exponent = np.where(largest > 0, np.maximum(np.frexp(largest)[1], -1021), 0)
        cases.append(Case(name, {"values": values, "exponent": exponent.astype(np.int32)}))
    return cases


def _stored(rng: np.random.Generator, stored: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Rows of the stored values; a tenth of the genes is to be skipped."""
    cell, gene = np.nonzero(stored)
    ends = np.searchsorted(cell, np.arange(len(stored) + 1)).astype(np.int64)
    skipped = rng.random(len(gene)) < 0.1
    genes = np.where(skipped, -1, gene).astype(np.int32)
    return {"start": ends[:-1], "stop": ends[1:], "gene": genes}


def sparse_gene_sums() -> list[Case]:
    """The cases of the sums with a part of the values stored."""
    rng = _rng(40)
    cases = []
    for case in gene_sums():
        values, exponent = case.arguments["values"], case.arguments["exponent"]
        stored = rng.random(values.shape) < 0.5
        if case.name == "one cell":
            stored[:] = np.arange(values.shape[1]) == 7
        given = {**_stored(rng, stored), "value": _strided(values[stored]), "exponent": exponent}
        cases.append(Case(case.name, given))
    return cases


def sparse_gene_range() -> list[Case]:
    """The cells of the sparse sums."""
    cases = []
    for case in sparse_gene_sums():
        given = dict(case.arguments)
        given["n_genes"] = len(given.pop("exponent"))
        cases.append(Case(case.name, given))
    return cases


def sparse_standardise() -> list[Case]:
    """The stored values of the sparse sums, to all bits and to few; a scale of 0."""
    rng = _rng(41)
    cases = []
    for number, case in enumerate(sparse_gene_sums()):
        genes = len(case.arguments["exponent"])
        given = {name: case.arguments[name] for name in ("gene", "value")}
        given["scale"] = np.where(np.arange(genes) % 5 == 3, 0.0, rng.uniform(0.5, 2, size=genes))
        given["centre"] = np.where(rng.random(genes) < 0.5, rng.normal(size=genes), 0.0)
        cases.append(Case(case.name, {**given, "bits": (53, 36)[number % 2]}))
    return cases


def largest_counts() -> list[Case]:
    """More and fewer cells than are asked for; ties; a depth of 0."""
    rng = _rng(42)
    cases = []
    for number, case in enumerate(sparse_gene_sums()):
        given = {name: case.arguments[name] for name in ("start", "stop", "gene")}
        cells = len(given["start"])
        counts = rng.negative_binomial(0.5, 0.1, size=len(given["gene"])).astype(float)
        given["count"] = _strided(counts)
        given["depth"] = np.where(rng.random(cells) < 0.1, 0.0, rng.uniform(1, 1000, size=cells))
        given["n_genes"] = len(case.arguments["exponent"])
        cases.append(Case(case.name, {**given, "number": (1, 3, cells + 1)[number % 3]}))
    return cases


def count_sums() -> list[Case]:
    """The cells of the largest counts; values that are no counts; genes without a bound."""
    rng = _rng(43)
    cases = []
    for case in largest_counts():
        given = dict(case.arguments)
        del given["number"]
        genes, stored = given.pop("n_genes"), given["count"]
        odd = rng.choice([0.5, -1.0, 1e300], size=len(stored))
        given["count"] = _strided(np.where(rng.random(len(stored)) < 0.05, odd, stored))
        given["bin"] = rng.integers(0, 4, size=len(given["start"])).astype(np.int32)
        bound = np.where(rng.random(genes) < 0.3, np.inf, rng.exponential(0.05, size=genes))
        cases.append(Case(case.name, {**given, "n_bins": 4, "bound": bound}))
    return cases


def gene_medians() -> list[Case]:
    """Even and odd numbers of cells, ties and missing values."""
    return [Case(name, {"values": array}) for name, array in _expression(13)]


def standardise() -> list[Case]:
    """All bits and few bits; a scale of 0."""
    rng = _rng(14)
    cases = []
    for name, values in _expression(15):
        scale = np.where(np.arange(values.shape[1]) % 5 == 3, 0.0, rng.uniform(0.5, 2))
        centre = np.where(rng.random(values.shape[1]) < 0.5, rng.normal(size=values.shape[1]), 0.0)
        for bits in (53, 36):
            arguments = {"values": values, "centre": centre, "scale": scale, "bits": bits}
            cases.append(Case(f"{name}, {bits} bits", arguments))
    return cases


def leave_one_out_t() -> list[Case]:
    """Genes with their own moments; a gene that differs in one cell only."""
    single = np.zeros((12, 3))
    single[4, 1] = 2.0
    cases = []
    for name, values in [*_signatures(16), ("one cell differs", single)]:
        count = np.sum(~np.isnan(values), axis=0).astype(float)
        filled = np.where(np.isnan(values), 0.0, values)
        mean = filled.sum(axis=0) / np.maximum(count, 1)
        spread = np.where(np.isnan(values), 0.0, (values - mean) ** 2).sum(axis=0)
        arguments = {"values": values, "count": count, "mean": mean, "spread": spread}
        cases.append(Case(name, {**arguments, "bits": 53}))
    return cases


# --- enrichment -----------------------------------------------------------------------------------


def normal_scores() -> list[Case]:
    """Ranks of all edge cases of signatures."""
    cases = []
    for name, values in _signatures(21):
        ordered = np.sort(values, axis=1)  # NaN last
        doubled = np.array(
            [
                np.searchsorted(s, v, "left") + 1 + np.searchsorted(s[~np.isnan(s)], v, "right")
                for s, v in zip(ordered, values, strict=True)
            ]
        ).reshape(values.shape)
        ranks = np.where(np.isnan(values), 0, doubled).astype(np.int32)
        cases.append(Case(name, {"ranks": _strided(ranks), **_tables(values)}))
    return cases


def area() -> list[Case]:
    """All edge cases of signatures; a given largest deviation."""
    cases = []
    for name, values, regulons in _with_regulons(22):
        max_rank_deviation = np.full(len(values), -1, dtype=np.int32)
        arguments = {
            "signature": values,
            "max_rank_deviation": max_rank_deviation,
            **_tables(values),
            **regulons,
        }
        cases.append(Case(name, arguments))
        if name == "all ties":
            given = {**arguments, "max_rank_deviation": np.full(len(values), 7, dtype=np.int32)}
            cases.append(Case("all ties, largest deviation given", given))
    return cases


def sparse_area() -> list[Case]:
    """All edge cases of signatures as sparse cells, whose other values are those of `zero`."""
    rng = _rng(38)
    cases = []
    for name, values, regulons in _with_regulons(39):
        n_cells, n_genes = values.shape
        zero = np.asarray(rng.normal(size=n_genes))
        zero[::3] = np.round(zero[::3])
        if name in ("missing values", "two genes"):
            zero[::4] = np.nan
        if name == "all ties":
            zero[:] = 0.0
        stored = rng.random(values.shape) < (1.0 if name == "one gene" else 0.4)
        stored[n_cells // 2 :: 3] = False  # cells that store nothing
        if name == "one cell":
            stored[:] = np.arange(n_genes) == 7
        ties = stored & (rng.random(values.shape) < 0.2)
        values = np.where(ties, zero[rng.permutation(n_genes)], values)
        rows = _stored(rng, stored)
        dense = np.where(stored, values, zero)
        cell, gene = np.nonzero(stored)
        skipped = rows["gene"] < 0
        dense[cell[skipped], gene[skipped]] = zero[gene[skipped]]
        arguments = {
            "zero": _strided(zero),
            **rows,
            "value": values[stored],
            "max_rank_deviation": np.full(n_cells, -1, dtype=np.int32),
            **_tables(dense),
            **regulons,
        }
        cases.append(Case(name, arguments))
        if name == "zero-inflated counts":
            given_deviation = np.full(n_cells, 199, dtype=np.int32)
            largest = {**arguments, "max_rank_deviation": given_deviation}
            cases.append(Case(f"{name}, largest deviation given", largest))
    return cases


def weighted_area() -> list[Case]:
    """Weights between 0 and 1, in both norms."""
    rng = _rng(23)
    cases = []
    for number, (name, values, regulons) in enumerate(_with_regulons(24)):
        weights = rng.uniform(0, 1, size=values.shape)
        weights[:, ::4] = 0.0
        arguments = {
            "signature": values,
            "weights": weights,
            "weighted_norm": number % 2 == 0,
            "max_rank_deviation": np.full(len(values), -1, dtype=np.int32),
            **_tables(values),
            **regulons,
        }
        cases.append(Case(name, arguments))
    return cases


def paired_area() -> list[Case]:
    """Some pairs of cells and regulons, in random order."""
    rng = _rng(34)
    cases = []
    for name, values, regulons in _with_regulons(35):
        count = len(regulons["indptr"]) - 1
        tasks = 0 if not count or not len(values) else 1 if name == "one cell" else 13
        arguments = {
            "signature": values,
            "max_rank_deviation": np.full(len(values), -1, dtype=np.int32),
            **_tables(values),
            "cell": rng.integers(0, max(1, len(values)), size=tasks).astype(np.int32),
            "regulon": rng.integers(0, max(1, count), size=tasks).astype(np.int32),
            **regulons,
        }
        cases.append(Case(name, arguments))
    return cases


def weighted_mean() -> list[Case]:
    """Signed weights."""
    cases = []
    for name, values, regulons in _with_regulons(25):
        weights = regulons.pop("mode") * regulons.pop("likelihood")
        cases.append(Case(name, {"signature": values, **regulons, "weights": weights}))
    return cases


def depth_sums() -> list[Case]:
    """Counts of sparse cells with random tables; places beyond both ends; excess given directly."""
    rng = _rng(36)
    cases = []
    for name, values, regulons in _with_regulons(37):
        filled = np.nan_to_num(values) * (rng.random(values.shape) < 0.6)
        if name == "all ties":
            filled += 1.0
        cell, gene = np.nonzero(filled)
        if name == "one gene":
            cell, gene = cell[:1], gene[:1]
        cells, genes = values.shape
        batches = min(cells, 1 + genes % 3)
        ends = np.searchsorted(cell, np.arange(cells + 1)).astype(np.int64)
        count = rng.integers(0, 5, size=len(cell)).astype(np.int32)
        direct = rng.integers(-(2**24), 2**24, size=0 if name == "one cell" else 1 + genes % 4)
        large = rng.random(len(cell)) < (0.1 if len(direct) else 0.0)
        count[large] = -1 - rng.integers(0, max(1, len(direct)), size=int(large.sum()))
        place = rng.integers(-(2**20), 7 * 2**20, size=(batches, genes)).astype(np.int32)
        place[rng.random(place.shape) < 0.1] = -(2**31)
        by_gene = np.argsort(regulons["targets"], kind="stable")
        owner = np.repeat(np.arange(len(regulons["indptr"]) - 1), np.diff(regulons["indptr"]))
        weight = np.rint(regulons["mode"] * regulons["likelihood"] * 2.0**20).astype(np.int32)
        arguments = {
            "start": ends[:-1],
            "stop": ends[1:],
            "depth": rng.integers(-(2**20), 2**20, size=cells).astype(np.int32),
            "batch": rng.integers(0, max(1, batches), size=cells).astype(np.int32),
            "gene": np.where(rng.random(len(gene)) < 0.1, -1, gene).astype(np.int32),
            "count": _strided(count),
            "direct": direct,
            "level": place,
            "size": rng.integers(0, 3 * 2**20, size=genes).astype(np.int32),
            "table": rng.integers(-(2**28), 2**28, size=(3, 6, 5, 16)).astype(np.int32),
            "limit": 6 << 20,
            "indptr": np.searchsorted(regulons["targets"][by_gene], np.arange(genes + 1)),
            "regulon": owner[by_gene].astype(np.int32),
            "weight": weight[by_gene],
            "n_regulons": len(regulons["indptr"]) - 1,
        }
        cases.append(Case(name, arguments))
    return cases


def narnea() -> list[Case]:
    """Magnitudes and signs of all edge cases of signatures."""
    cases = []
    for name, values, regulons in _with_regulons(26):
        bounds = zip(regulons["indptr"][:-1], regulons["indptr"][1:], strict=True)
        order = [np.argsort(-regulons["likelihood"][a:b], kind="stable") for a, b in bounds]
        regulons["mode"] = np.clip(regulons["mode"], -0.999, 0.999)
        arguments = {
            "magnitude": np.abs(values),
            "sign": _strided(np.where(values < 0, -1, 1).astype(np.int32)),
            **regulons,
            "by_likelihood": np.concatenate([np.zeros(0), *order]).astype(np.int32),
        }
        cases.append(Case(name, arguments))
    return cases


def _sets(regulons: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {"indptr": regulons["indptr"], "targets": regulons["targets"]}


def _running_sums(seed: int) -> list[tuple[str, NDArray[np.float64], dict[str, NDArray[Any]]]]:
    """All edge cases of signatures but the longest; a regulon with all genes as targets."""
    found = [row for row in _with_regulons(seed) if row[0] != "many cells"]
    values = np.array([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0], [np.nan, 3.0, 3.0]])
    everything: dict[str, NDArray[Any]] = {
        "indptr": np.array([0, 3, 4], dtype=np.int64),
        "targets": np.array([0, 1, 2, 1], dtype=np.int32),
    }
    return [*found, ("every gene is a target", values, everything)]


def running_sum() -> list[Case]:
    """Ties, zeros and missing values; all genes are targets."""
    return [
        Case(name, {"signature": values, "weight": np.abs(values), **_sets(regulons)})
        for name, values, regulons in _running_sums(27)
    ]


def permuted_running_sum() -> list[Case]:
    """The cases of the running sum, with a few permutations; none; one."""
    rng = _rng(28)
    cases = []
    for name, values, regulons in _running_sums(29):
        few = 0 if name == "no cells" else 1 if name in ("one cell", "long rows") else 9
        tables = [rng.permutation(values.shape[1]) for _ in range(few)]
        arguments = {
            "signature": values,
            "weight": np.abs(values),
            "permutations": np.array(tables, dtype=np.int32).reshape(few, values.shape[1]),
            **_sets(regulons),
        }
        cases.append(Case(name, arguments))
    return cases


# --- corrections and means ------------------------------------------------------------------------


def _shared(
    rng: np.random.Generator, regulons: dict[str, NDArray[Any]]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """Two pairs for each regulon, with random targets as the shared ones."""
    regulator, sizes, places = [], [], []
    for own in range(len(regulons["indptr"]) - 1):
        n = int(regulons["indptr"][own + 1] - regulons["indptr"][own])
        for share in (0.5, 1.0):
            count = int(np.ceil(n * share))
            regulator.append(own)
            sizes.append(count)
            places.append(np.sort(rng.choice(n, size=count, replace=False)) if n else np.zeros(0))
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    shared = np.concatenate([np.zeros(0), *places]).astype(np.int32)
    return np.array(regulator, dtype=np.int32), ends, shared


def shared_target_scores() -> list[Case]:
    """Every pair in every cell, for all edge cases of signatures."""
    rng = _rng(30)
    cases = []
    for name, values, regulons in _with_regulons(31):
        regulator, ends, shared = _shared(rng, regulons)
        if name == "one regulon of one target":
            regulator, ends, shared = regulator[:1], ends[:2], shared[: ends[1]]
        tried = [(c, p) for c in range(min(len(values), 50)) for p in range(len(regulator))]
        if name == "one cell":
            tried = tried[-1:]
        at = np.array(tried, dtype=np.int32).reshape(-1, 2)
        largest = int(np.diff(regulons["indptr"]).max(initial=0))
        arguments = {
            "signature": values,
            "direction": rng.choice(np.array([-1, 1], dtype=np.int32), size=len(at)),
            "cell": at[:, 0].copy(),
            "pair": at[:, 1].copy(),
            "regulator": regulator,
            "shared_indptr": ends,
            "shared": shared,
            "quantiles": np.concatenate([_quantiles(n) for n in range(largest + 1)]),
            **regulons,
        }
        cases.append(Case(name, arguments))
    return cases


def segment_means() -> list[Case]:
    """Segments of several sizes; an empty segment."""
    rng = _rng(32)
    return [
        Case(
            name,
            {
                "values": values,
                "segment": rng.integers(0, 3, size=len(values)).astype(np.int32),
                "n_segments": 4,
            },
        )
        for name, values in _expression(33)
        if name != "extremes"
    ]
