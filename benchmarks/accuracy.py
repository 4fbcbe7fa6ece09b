"""How well networks are found whose truth is known, beside other methods: AUPR, errors, stability.

    python benchmarks/accuracy.py --quick                       under 3 minutes on two cores
    python benchmarks/accuracy.py --cache scores -o table.tsv --markdown table.md
    python benchmarks/accuracy.py --data FOLDER --sizes ...     published sets as well
    python benchmarks/accuracy.py --markdown table.md --of table.tsv      tables of an earlier run
    python benchmarks/accuracy.py --noise                       false edges on pure noise

**What is scored.** Pairs of a regulator and another gene, undirected and directed (see
``metrics.py``). A pair is true if the regulator regulates the gene directly; of regulator ->
regulator -> gene the outer pair is false. Mutual information and correlation know no direction.

**How a run that calls edges is ranked.** All edges that some resample has first, by support, then
by mean mutual information (the network's ``rank`` with ``alpha=1, min_support=0``); all other pairs
after them, by mutual information over all samples (the same estimator). So every method ranks every
pair, and a method that calls few edges is not punished in ``aupr`` for where it stops: that is what
``edges``, ``precision`` and ``recall`` show. The other choice, that all pairs not called tie at the
end, is in ``aupr_called``. Both are the same for all methods.

``unrelated``: share of called pairs without a cause in common, so independent (but for the shared
depth of ``counts``): this is what a q-value bounds. ``precision_top1``: share of true pairs among
the best 1 % of pairs. ``overlap_seeds``, ``overlap_halves``: intersection / union of the pairs
called with two seeds, and from the two halves of the samples, drawn at random. ``noise_edges``:
edges called on the same data with every gene permuted over samples by itself (for one continuous
set and the counts: only ranks matter, so other continuous sets give the same).

Scores of forests and boosting come from ``rivals.py`` (``--cache`` keeps them). Rows of the table:
one for each set, number of samples, seed and method. The same seed gives the same table, but for
the column ``seconds``.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from accuracy_tables import markdown, verdict
from metrics import Ranking, figures, overlap, pairs_of
from rivals import QUICK, RIVALS, TREES, scores_of
from sets import N_GENES, N_REGULATORS, PUBLISHED, SIMULATED, SIZES, KnownSet, all_sets

import pysces
from pysces import _seeds
from pysces.errors import PyscesWarning

NOISE_SETS = ("linear", "counts")
FAMILIES = ("run", "MI", "rival")
DEFAULT = "run: default"

# The default of version 0.1.0, and the rule of ARACNe-AP. The null distribution of bootstraps is
# slow to simulate: a million pairs are enough for p = 1e-3.
EARLIER: dict[str, Any] = {
    "estimator": "adaptive",
    "resampling": "subsample",
    "resample_pvalue": 1e-3,
    "min_support": 0,
}
BOOTSTRAP: dict[str, Any] = {
    **EARLIER,
    "consensus": "poisson",
    "resampling": "bootstrap",
    "n_null": 1_000_000,
}
RUNS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    "run: 0.1.0": EARLIER,
    "run: Poisson, bootstrap": BOOTSTRAP,
}


# --- runs ---------------------------------------------------------------------------------------


def network_of(data: pd.DataFrame, regulators: list[str], **options: Any) -> pd.DataFrame:
    """Edges of a run; that none is significant is a result here, not a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PyscesWarning)
        return pysces.infer_network(data, regulators, **options).to_dataframe()


def mutual_information(data: pd.DataFrame, regulators: list[str], **options: Any) -> np.ndarray:
    """Mutual information of all pairs, [regulators, genes]; 0 where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PyscesWarning)
        mi = pysces.mutual_information(data, regulators, **options)
    return np.nan_to_num(mi.to_numpy(dtype=float))


OF_ESTIMATOR = ("estimator", "degree", "counts", "size_factors", "n_bins", "ties", "seed", "engine")


def run(data: pd.DataFrame, regulators: list[str], seed: int, options: dict[str, Any]) -> Ranking:
    """The ranking of a run: all edges it saw by support, then all other pairs."""
    given = {"seed": seed, **options}
    with tempfile.TemporaryDirectory() as folder:  # the second run reads the resamples of the first
        table = network_of(data, regulators, **given, checkpoint=folder)
        whole = given | {"alpha": 1.0, "min_support": 0.0}
        seen = network_of(data, regulators, **whole, checkpoint=folder)
    chosen = {name: value for name, value in given.items() if name in OF_ESTIMATOR}
    mi = mutual_information(data, regulators, **chosen)
    called = called_first(table, mi, regulators, list(data.columns)).called
    return Ranking(called_first(seen, mi, regulators, list(data.columns)).score, called)


def called_first(
    table: pd.DataFrame, mi: np.ndarray, regulators: list[str], genes: list[str]
) -> Ranking:
    """Edges of a table by rank (1 is the best); then all others by mutual information."""
    place = np.zeros(mi.shape)
    row = pd.Index(regulators).get_indexer(pd.Index(table["source"]))
    column = pd.Index(genes).get_indexer(pd.Index(table["target"]))
    place[row, column] = table["rank"].max() + 1 - table["rank"].to_numpy(float)
    return Ranking(np.where(place > 0, place, mi / (1 + mi.max(initial=0.0))), place > 0)


def halves(data: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two halves of the samples, drawn at random, in the order of the data."""
    order = _seeds.generator(seed, "accuracy", "halves", *data.shape).permutation(len(data))
    middle = len(data) // 2
    return data.iloc[np.sort(order[:middle])], data.iloc[np.sort(order[middle:])]


def stability(data: pd.DataFrame, regulators: list[str], seed: int, first: Ranking,
              options: dict[str, Any]) -> dict[str, float]:  # fmt: skip
    """Overlap of what is called with another seed, and from the two halves of the samples."""

    def called(values: pd.DataFrame, of: int) -> np.ndarray:
        found = network_of(values, regulators, **{**options, "seed": of})
        mi = np.zeros((len(regulators), data.shape[1]))
        ranking = called_first(found, mi, regulators, list(data.columns))
        assert ranking.called is not None
        return pairs_of(ranking.called) > 0

    assert first.called is not None
    own = pairs_of(first.called) > 0
    one, other = (called(half, seed) for half in halves(data, seed))
    return {
        "overlap_seeds": overlap(own, called(data, seed + 1000)),
        "overlap_halves": overlap(one, other),
    }


def noise_edges(known: KnownSet, values: pd.DataFrame, seed: int, options: dict[str, Any]) -> int:
    """Edges called where every gene is permuted over the samples by itself."""
    rng = _seeds.generator(seed, "accuracy", "noise", *values.shape)
    permuted = pd.DataFrame(rng.permuted(values.to_numpy(), axis=0), columns=values.columns)
    permuted.index = values.index
    return len(network_of(permuted, known.regulators, **{"seed": seed, **options}))


# --- methods: a set -> figures --------------------------------------------------------------------

Method = Callable[[KnownSet], "dict[str, float] | None"]


def timed(make: Callable[[], Ranking]) -> tuple[Ranking, float]:
    begin = time.perf_counter()
    ranking = make()
    return ranking, time.perf_counter() - begin


def of_run(options: dict[str, Any], *, of_counts: bool = False, thorough: bool = True) -> Method:
    """A run on the values, or on the counts where a set has them; None where it has none."""

    def method(known: KnownSet) -> dict[str, float] | None:
        values = known.counts if of_counts else known.data
        if values is None:
            return None
        seed = known.seed
        ranking, seconds = timed(lambda: run(values, known.regulators, seed, options))
        row = {**figures(known.truth, known.related, ranking), "seconds": seconds}
        if thorough:
            row |= stability(values, known.regulators, seed, ranking, options)
            if known.name in NOISE_SETS:
                row["noise_edges"] = noise_edges(known, values, seed, options)
        return row

    return method


def of_all_pairs(estimator: str) -> Method:
    """Mutual information over all samples."""

    def method(known: KnownSet) -> dict[str, float]:
        ranking, seconds = timed(
            lambda: Ranking(
                mutual_information(
                    known.data, known.regulators, estimator=estimator, seed=known.seed
                )
            )
        )
        return {**figures(known.truth, known.related, ranking), "seconds": seconds}

    return method


def of_rival(name: str, cache: Path | None, trees: int, *, compute: bool) -> Method:
    """Another method; None where its scores aren't kept and aren't to be computed."""

    def method(known: KnownSet) -> dict[str, float] | None:
        found = scores_of(name, known, cache, trees, compute=compute)
        if found is None:
            return None
        score, seconds = found
        return {**figures(known.truth, known.related, Ranking(score)), "seconds": seconds}

    return method


def methods(
    families: tuple[str, ...],
    variants: list[str],
    cache: Path | None = None,
    trees: int = TREES,
    *,
    thorough: bool = True,
    compute: bool = True,
) -> dict[str, Method]:
    """All methods of the families, and runs with other options."""
    found: dict[str, Method] = {}
    if "run" in families:
        for name, options in RUNS.items():
            found[name] = of_run(options, thorough=thorough)
        found["run: default, counts"] = of_run({}, of_counts=True, thorough=thorough)
    for text in variants:
        found[f"run: {text}"] = of_run(options_of(text), thorough=thorough)
        found[f"run: {text}, counts"] = of_run(options_of(text), of_counts=True, thorough=thorough)
    if "MI" in families:
        for estimator in ("copula", "adaptive"):
            found[f"MI: {estimator}"] = of_all_pairs(estimator)
    if "rival" in families:
        for name in RIVALS:
            found[name] = of_rival(name, cache, trees, compute=compute or name in QUICK)
    return found


def options_of(text: str) -> dict[str, Any]:
    """Options as they are written in a call: ``degree=1, resampling="subsample"``."""
    call = ast.parse(f"f({text})", mode="eval").body
    assert isinstance(call, ast.Call)
    return {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}


# --- the scoreboard -----------------------------------------------------------------------------


def scoreboard(known_sets: Iterator[KnownSet], chosen: dict[str, Method]) -> Iterator[dict]:
    """Rows of the table, one for each set, size, seed and method."""
    for known in known_sets:
        for name, method in chosen.items():
            row = method(known)
            if row is not None:
                yield {
                    "set": known.name,
                    "published": known.name in PUBLISHED,
                    "samples": len(known.data),
                    "seed": known.seed,
                    "method": name,
                    **row,
                }


def noise_table(n_seeds: int, n_samples: int = 200, n_regulators: int = 100, n_genes: int = 400,
                **options: Any) -> pd.DataFrame:  # fmt: skip
    """Runs on independent normal values: share of runs with any edge, and false edges a run."""
    names = [f"g{i}" for i in range(n_genes)]
    rows = []
    for rule, chosen in RUNS.items():
        edges = np.zeros(n_seeds)
        for seed in range(n_seeds):
            rng = _seeds.generator(seed, "accuracy", "pure noise")
            data = pd.DataFrame(rng.normal(size=(n_samples, n_genes)), columns=names)
            edges[seed] = len(
                network_of(data, names[:n_regulators], seed=seed, **{**chosen, **options})
            )
            _say(f"noise, {rule}, seed {seed}: {edges[seed]:.0f} edges")
        share = float((edges > 0).mean())
        rows.append(
            {
                "rule": rule,
                "runs": n_seeds,
                "runs_with_edges": share,
                "standard_error": float(np.sqrt(share * (1 - share) / n_seeds)),
                "mean_edges": float(edges.mean()),
                "largest": int(edges.max()),
            }
        )
    return pd.DataFrame(rows)


def _say(text: str) -> None:
    print(f"[{time.process_time():.0f} s] {text}", file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> pd.DataFrame:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="200 samples, few genes, no trees")
    parser.add_argument("--noise", action="store_true", help="only runs on pure noise")
    parser.add_argument("--data", type=Path, help="folder of published sets")
    parser.add_argument("--cache", type=Path, help="folder of the scores of forests and boosting")
    parser.add_argument("--cached-only", action="store_true", help="compute no forests, boosting")
    parser.add_argument("--trees", type=int, default=TREES, help="of GENIE3, for many genes")
    parser.add_argument("--sets", nargs="+", choices=[*PUBLISHED, *SIMULATED])
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), help="samples")
    parser.add_argument("--seeds", type=int, help="simulations of a set (1), noise runs (50)")
    parser.add_argument("--methods", nargs="*", choices=FAMILIES, help="families of methods")
    parser.add_argument("--variant", action="append", default=[], metavar="OPTIONS",
                        help="one more run, as in 'degree=1, resample_pvalue=0.01'")  # fmt: skip
    parser.add_argument("--no-stability", action="store_true", help="one run, not four")
    parser.add_argument("--genes", type=int, default=N_GENES)
    parser.add_argument("--regulators", type=int, default=N_REGULATORS)
    parser.add_argument("--of", type=Path, help="a table written earlier: compute nothing")
    parser.add_argument("--markdown", type=Path, help="the tables as Markdown")
    parser.add_argument("-o", "--output", type=Path, help="the table, tab-separated")
    given = parser.parse_args(arguments)
    pysces.settings.verbosity = "silent"
    if given.noise:
        table = noise_table(given.seeds or (10 if given.quick else 50))
        print(table.to_string(index=False, float_format="%.4g"))
        if given.output:
            _write(table, given.output)
        return table
    table = pd.read_csv(given.of, sep="\t") if given.of else _measured(given)
    print(markdown(table))
    print(verdict(table, DEFAULT))
    if given.markdown:
        given.markdown.write_text(markdown(table) + "\n")
    return table


def _measured(given: argparse.Namespace) -> pd.DataFrame:
    families = tuple(FAMILIES if given.methods is None else given.methods)
    chosen = methods(
        families,
        given.variant,
        given.cache,
        given.trees,
        thorough=not (given.quick or given.no_stability),
        compute=not (given.quick or given.cached_only),
    )
    found = all_sets(
        given.sets or [*PUBLISHED, *SIMULATED],
        [200] if given.quick else given.sizes,
        range(given.seeds or 1),
        given.data,
        20 if given.quick else given.regulators,
        200 if given.quick else given.genes,
    )
    rows = []
    for row in scoreboard(found, chosen):
        _say("{set}, {samples} samples, seed {seed}, {method}: AUPR {aupr:.3f}".format(**row))
        rows.append(row)
        if given.output:  # a run that is interrupted leaves what it has
            _write(pd.DataFrame(rows), given.output)
    return pd.DataFrame(rows)


def _write(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, sep="\t", index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
