"""What a prior does to a network: one that is right, half right, or shuffled.

    python benchmarks/priors.py --sizes 200 --seeds 3 --markdown table.md
    python benchmarks/priors.py --data FOLDER                        published sets as well

Of each set with a known network (``sets.py``), half of the true pairs, drawn at random, make the
prior ``right``. ``half right`` has as many false pairs beside them, with the same regulators.
``shuffled`` has the pairs of ``right`` with their targets permuted, less those that are true.
``none`` is the run without a prior, on the same resamples.

Columns: edges called, those true, ``precision``, ``recall``, ``unrelated`` (share without a cause
in common, which the q-value bounds), ``aupr`` (directed, all pairs ranked as in ``accuracy.py``),
``in_prior`` (edges called that are in the prior), ``precision_in_prior`` (to be compared with the
share of true pairs in the prior itself: 1, 0.5 and 0), and ``recall_elsewhere``: of the true pairs
that are not in the prior, the share called.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from accuracy import run
from accuracy_tables import grid
from metrics import figures
from sets import PUBLISHED, SIMULATED, KnownSet, all_sets

from pysces import _seeds

PRIORS = ("none", "right", "half right", "shuffled")


def priors_of(known: KnownSet) -> dict[str, np.ndarray]:
    """Pairs of each prior, bool [regulators, genes]."""
    rng = _seeds.generator(known.seed, "priors", known.name, len(known.data))
    truth = known.truth
    right = truth & (rng.random(truth.shape) < 0.5)
    false = np.zeros_like(truth)
    possible = ~truth
    possible[np.arange(len(truth)), np.arange(len(truth))] = False
    for row, own in enumerate(right.sum(axis=1)):
        others = np.flatnonzero(possible[row])
        false[row, rng.choice(others, size=min(own, len(others)), replace=False)] = True
    source, target = np.nonzero(right)
    shuffled = np.zeros_like(truth)
    shuffled[source, rng.permutation(target)] = True
    none = np.zeros_like(truth)
    return dict(zip(PRIORS, (none, right, right | false, shuffled & possible), strict=True))


def rows_of(known: KnownSet) -> Iterator[dict]:
    """One row for each prior."""
    data = known.data if known.counts is None else known.counts
    names = np.array(data.columns)
    for name, pairs in priors_of(known).items():
        source, target = np.nonzero(pairs)
        table = pd.DataFrame({"source": names[source], "target": names[target]})
        options = {"prior": table} if len(table) else {}
        ranking = run(data, known.regulators, known.seed, options)
        called = ranking.called
        assert called is not None
        true, inside = called & known.truth, called & pairs
        elsewhere = known.truth & ~priors_of(known)["right"]
        found = figures(known.truth, known.related, ranking)
        yield {
            "set": known.label,
            "prior": name,
            "edges": int(called.sum()),
            "true": int(true.sum()),
            "precision": true.sum() / max(1, called.sum()),
            "recall": true.sum() / known.truth.sum(),
            "unrelated": found.get("unrelated", np.nan),
            "aupr": found["aupr_directed"],
            "in_prior": int(inside.sum()),
            "precision_in_prior": (inside & known.truth).sum() / max(1, inside.sum()),
            "recall_elsewhere": (called & elsewhere).sum() / elsewhere.sum(),
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sets", nargs="*", default=[*SIMULATED, *PUBLISHED])
    parser.add_argument("--sizes", nargs="*", type=int, default=[200])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--data", type=Path, help="folder of published sets")
    parser.add_argument("--markdown", type=Path, help="where to write the table")
    given = parser.parse_args()
    parts = []
    for known in all_sets(given.sets, given.sizes, range(given.seeds), given.data):
        parts.append(pd.DataFrame(rows_of(known)))
        print(parts[-1].round(3).to_string(index=False), flush=True)
    table = pd.concat(parts)
    table["set"] = table["set"].str.rsplit("-", n=1).str[0]  # the mean over seeds
    mean = table.groupby(["set", "prior"], sort=False).mean().round(3).reset_index()
    print(mean.to_string(index=False))
    if given.markdown is not None:
        given.markdown.write_text(grid(list(mean.columns), mean.astype(str).to_numpy().tolist()))
