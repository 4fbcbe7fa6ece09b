"""Run by hand and in CI: with Numba and MLX blocked the package works, and says why it's slow."""

from __future__ import annotations

import sys

sys.modules["numba"] = None  # type: ignore[assignment]
sys.modules["mlx"] = None  # type: ignore[assignment]

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

import pysces  # noqa: E402


def main() -> None:
    status = pysces.status()
    print(status)
    assert status.chosen == "python"
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(120, 8)), columns=list("ABCDEFGH"))
    data["C"] = data["A"] + 0.2 * rng.normal(size=120)
    network = pysces.infer_network(data, ["A", "B"], n_resamples=5, n_null=2_000)
    print(network.to_dataframe())
    assert ("A", "C") in set(network.to_dataframe()[["source", "target"]].itertuples(index=False))
    try:
        with pysces.use_engine("numba"):
            raise AssertionError("numba is blocked")
    except pysces.EngineUnavailable as error:
        print(error)


if __name__ == "__main__":
    main()
