"""Embedding of a network: eigenvalues made elsewhere, communities, signs, the same everywhere."""

from __future__ import annotations

import logging
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import eigsh

import pysces
from pysces import _seeds
from pysces.errors import InputError
from pysces.settings import ENGINES


def need(engine: str) -> None:
    row = next(row for row in pysces.status().engines if row.engine == engine)
    if not row.available:
        pytest.skip(f"engine {engine} is not here: {row.reason}")


def random_edges(n_regulators: int, n_genes: int, n_targets: int, name: str = "") -> pd.DataFrame:
    """Targets by chance, with modes and likelihoods; regulators are targets of each other too."""
    rng = _seeds.generator(0, "embedding", name, n_regulators)
    rows = []
    for regulator in range(n_regulators):
        for target in rng.choice(n_genes, size=n_targets, replace=False):
            rows.append((f"{name}g{regulator}", f"{name}g{target}"))
    edges = pd.DataFrame(rows, columns=["source", "target"])
    edges["mor"] = rng.uniform(-1, 1, size=len(edges))
    edges["likelihood"] = rng.uniform(0.1, 1, size=len(edges))
    return edges


def dense(edges: pd.DataFrame, regularisation: float) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, normalised adjacency and degrees, edge by edge."""
    names = sorted({*edges["source"], *edges["target"]})
    at = {name: number for number, name in enumerate(names)}
    adjacency = np.zeros((len(names), len(names)))
    for source, target, mor, likelihood in edges.itertuples(index=False):
        if source != target:
            adjacency[at[source], at[target]] += mor * likelihood
            adjacency[at[target], at[source]] += mor * likelihood
    degree = np.abs(adjacency).sum(axis=1)
    degree = degree + regularisation * degree.mean()
    return names, adjacency / np.sqrt(np.outer(degree, degree)), degree


def sign_free(table: pd.DataFrame | np.ndarray) -> np.ndarray:
    """Columns turned so that the entry of the largest size is positive."""
    values = np.asarray(table)
    return values * np.sign(values[np.abs(values).argmax(axis=0), np.arange(values.shape[1])])


# --- against eigenvalues made elsewhere -----------------------------------------------------------


@pytest.mark.parametrize("regularisation", [0.0, 1.0, 0.3])
@pytest.mark.parametrize("size", [(5, 20, 6), (30, 200, 25)])
def test_coordinates_are_those_of_a_dense_eigensolver(size, regularisation) -> None:
    edges = random_edges(*size)
    names, matrix, degree = dense(edges, regularisation)
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = values[::-1][:4], vectors[:, ::-1][:, :4]
    found = pysces.embed_network(edges, n_components=4, regularisation=regularisation)
    assert found.index.tolist() == names
    np.testing.assert_allclose(found.attrs["eigenvalues"], values, atol=1e-12)
    expected = vectors * values * np.sqrt(degree.sum() / degree)[:, None]
    np.testing.assert_allclose(sign_free(found), sign_free(expected), atol=1e-7)
    assert max(found.attrs["residuals"]) < 1e-10


def test_the_subspace_is_that_of_a_sparse_eigensolver() -> None:
    edges = random_edges(80, 1500, 40)
    names, matrix, degree = dense(edges, 1.0)
    values, vectors = eigsh(sp.csr_array(matrix), k=12, which="LA", tol=1e-13)
    found = pysces.embed_network(edges, n_components=12)
    np.testing.assert_allclose(found.attrs["eigenvalues"], values[::-1], atol=1e-10)
    scale = np.sqrt(degree / degree.sum())[:, None] / np.array(found.attrs["eigenvalues"])
    cosines = np.linalg.svd(vectors.T @ (found.to_numpy() * scale), compute_uv=False)
    np.testing.assert_allclose(cosines, 1.0, atol=1e-9)
    assert len(names) == len(found)


def test_a_regulator_stands_at_the_signed_mean_of_its_targets() -> None:
    edges = random_edges(6, 60, 12)
    edges = edges[~edges["target"].isin(set(edges["source"]))]
    found = pysces.embed_network(edges, n_components=3, regularisation=0.5)
    _, _, degree = dense(edges, 0.0)
    own = edges[edges["source"] == "g2"]
    weight = (own["mor"] * own["likelihood"]).to_numpy()
    targets = found.loc[own["target"]].to_numpy() / np.array(found.attrs["eigenvalues"])
    mean = weight @ targets / (np.abs(weight).sum() + 0.5 * degree.mean())
    np.testing.assert_allclose(found.loc["g2"], mean, atol=1e-9)


def test_the_mean_square_of_a_component_is_its_eigenvalue_squared() -> None:
    edges = random_edges(6, 60, 12)
    _, _, degree = dense(edges, 1.0)
    found = pysces.embed_network(edges, n_components=3)
    square = degree @ found.to_numpy() ** 2 / degree.sum()
    np.testing.assert_allclose(square, np.square(found.attrs["eigenvalues"]), atol=1e-9)


# --- degenerate eigenvalues -----------------------------------------------------------------------


def twins() -> pd.DataFrame:
    """Two parts that are the same but for the names: every eigenvalue twice."""
    one = random_edges(5, 20, 6)
    other = one.assign(source="z" + one["source"], target="z" + one["target"])
    return pd.concat([one, other], ignore_index=True)


def test_a_double_eigenvalue_has_one_basis_whatever_the_start() -> None:
    edges = twins()
    tables = [pysces.embed_network(edges, n_components=4, seed=seed) for seed in (0, 1, 2)]
    first = tables[0]
    values = first.attrs["eigenvalues"]
    assert values[0] == values[1] > values[2] == values[3]
    for table in tables[1:]:
        np.testing.assert_allclose(table, first, atol=1e-6)
    _, matrix, degree = dense(edges, 1.0)
    vectors = first.to_numpy() * np.sqrt(degree / degree.sum())[:, None] / values
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(matrix @ vectors, vectors * values, atol=1e-9)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_double_eigenvalue_cut_in_two_is_the_same_on_every_engine(engine: str) -> None:
    need(engine)
    right = pysces.embed_network(twins(), n_components=3, engine="python")
    found = pysces.embed_network(twins(), n_components=3, engine=engine)
    np.testing.assert_allclose(found, right, atol=1e-6)


def modules(number: int, n_targets: int) -> pd.DataFrame:
    """Modules that are the same but for the names, joined by one regulator: equal eigenvalues."""
    rows = [(f"TF{i}", f"x{i}_{j}") for i in range(number) for j in range(n_targets)]
    rows += [("HUB", f"x{i}_0") for i in range(number)]
    return pd.DataFrame(rows, columns=["source", "target"])


@pytest.mark.parametrize("engine", ENGINES)
def test_no_copy_of_a_multiple_eigenvalue_is_missed(engine: str) -> None:
    need(engine)
    edges = modules(30, 20).assign(mor=1.0, likelihood=1.0)
    _, matrix, _ = dense(edges, 1.0)
    values = np.linalg.eigvalsh(matrix)[::-1][:8]
    assert (values[1:] > values[1] - 1e-12).all()
    found = pysces.embed_network(edges, n_components=8, engine=engine)
    np.testing.assert_allclose(found.attrs["eigenvalues"], values, atol=1e-9)
    again = pysces.embed_network(edges, n_components=8, seed=5, engine="python")
    np.testing.assert_allclose(found, again, atol=1e-6)


def test_separate_parts_have_components_of_their_own_the_largest_first() -> None:
    one = random_edges(5, 40, 8, "a").assign(mor=1.0)
    same = one.replace({"source": {"^a": "b"}, "target": {"^a": "b"}}, regex=True)
    large = random_edges(30, 400, 20, "c").assign(mor=1.0)  # too large for the dense solver
    parts = [same, one, large]
    found = pysces.embed_network(pd.concat(parts), n_components=2, regularisation=0)
    assert found.attrs["eigenvalues"] == pytest.approx([1, 1])
    for component, part in (("component_1", "c"), ("component_2", "a")):
        inside = found.index.str.startswith(part)
        assert np.ptp(found[component][inside]) < 1e-9
        assert ((found[component] > 0) == inside).all()


@pytest.mark.parametrize("n_targets", [1, 2])
def test_the_smallest_networks_have_places(n_targets: int) -> None:
    edges = pd.DataFrame({"source": "A", "target": ["B", "C"][:n_targets], "mor": -1.0})
    found = pysces.embed_network(edges, n_components=3, regularisation=0)
    assert found.attrs["eigenvalues"] == pytest.approx([1, 0, 0])
    np.testing.assert_allclose(found["component_1"].abs(), 1.0)
    sign = np.sign(found["component_1"])
    assert (sign[1:] == -sign["A"]).all()


def test_components_without_positive_eigenvalue_are_zero(caplog) -> None:
    edges = pd.DataFrame({"source": ["A"] * 3, "target": ["B", "C", "D"], "mor": [1.0, -1.0, 1.0]})
    with caplog.at_level(logging.INFO, logger="pysces"):
        found = pysces.embed_network(edges, n_components=6, regularisation=0)
    assert found.shape == (4, 6)
    np.testing.assert_allclose(found["component_1"].abs(), 1.0)  # sign(B) = sign(A) = -sign(C)
    assert (np.sign(found["component_1"]) == [1, 1, -1, 1]).all()
    assert (found.iloc[:, 1:] == 0).all(axis=None)
    assert "components '2', '3', '4', '5', '6'" in caplog.text


def test_a_part_without_a_share_in_the_components_is_at_the_origin() -> None:
    edges = pd.concat([random_edges(6, 60, 12), random_edges(1, 3, 2, "z")])
    found = pysces.embed_network(edges, n_components=2)
    apart = found.index.str.startswith("z")
    assert apart.sum() == 3
    assert (found[apart] == 0).all(axis=None)
    assert (found[~apart] != 0).all(axis=None)


# --- what a biologist expects ---------------------------------------------------------------------


def communities(n_regulators: int = 24, n_genes: int = 400, n_targets: int = 40) -> pd.DataFrame:
    """Four groups of regulators; three targets in four are of the group's own genes."""
    rng = _seeds.generator(0, "communities")
    rows = []
    for regulator in range(n_regulators):
        own = np.arange(n_genes) % 4 == regulator % 4
        share = np.where(own, 0.75 / own.sum(), 0.25 / (~own).sum())
        for gene in rng.choice(n_genes, size=n_targets, replace=False, p=share):
            sign = 1 if gene % 3 else -1  # a gene is activated by all, or repressed
            rows.append((f"TF{regulator}", f"gene{gene}", sign * rng.uniform(0.3, 1)))
    return pd.DataFrame(rows, columns=["source", "target", "mor"])


def cosines(table: pd.DataFrame) -> pd.DataFrame:
    unit = table.to_numpy() / np.linalg.norm(table.to_numpy(), axis=1, keepdims=True)
    return pd.DataFrame(unit @ unit.T, index=table.index, columns=table.index)


def test_regulators_of_a_community_are_neighbours() -> None:
    edges = communities()
    found = pysces.embed_network(edges, n_components=4)
    regulators = [f"TF{number}" for number in range(24)]
    alike = cosines(found.loc[regulators]).to_numpy()
    group = np.arange(24) % 4
    same = group[:, None] == group
    np.fill_diagonal(alike, np.nan)
    assert np.nanmin(np.where(same, alike, np.nan)) > np.nanmax(np.where(same, np.nan, alike))


def test_an_activator_and_a_repressor_of_the_same_targets_are_opposite() -> None:
    edges = communities()
    mirrored = edges[edges["source"] == "TF0"].assign(source="anti")
    mirrored["mor"] *= -1
    found = pysces.embed_network(pd.concat([edges, mirrored]), n_components=5)
    np.testing.assert_allclose(found.loc["anti"], -found.loc["TF0"], atol=1e-9)
    assert np.linalg.norm(found.loc["TF0"]) > 0.1


def test_turning_all_signs_of_a_regulator_turns_its_row_alone() -> None:
    edges = random_edges(6, 60, 12)
    edges = edges[~edges["target"].isin(set(edges["source"]))]
    turned = edges.copy()
    turned.loc[turned["source"] == "g3", "mor"] *= -1
    before = pysces.embed_network(edges, n_components=4)
    after = pysces.embed_network(turned, n_components=4)
    after.loc["g3"] *= -1
    np.testing.assert_allclose(sign_free(after), sign_free(before), atol=1e-8)


def test_the_scale_of_weights_and_the_direction_of_edges_play_no_part() -> None:
    edges = random_edges(6, 60, 12)
    found = pysces.embed_network(edges, n_components=4)
    scaled = edges.assign(likelihood=edges["likelihood"] * 8)
    np.testing.assert_allclose(pysces.embed_network(scaled, n_components=4), found, atol=1e-9)
    turned = edges.rename(columns={"source": "target", "target": "source"})
    np.testing.assert_allclose(pysces.embed_network(turned, n_components=4), found, atol=1e-9)


def test_regulation_of_itself_and_edges_without_weight_play_no_part() -> None:
    edges = random_edges(6, 60, 12)
    edges = edges[edges["source"] != edges["target"]]
    extra = {"source": ["g1", "g2"], "target": ["g1", "g5"], "mor": [1.0, 0.0], "likelihood": 1.0}
    more = pd.concat([edges, pd.DataFrame(extra)]).drop_duplicates(["source", "target"])
    found = pysces.embed_network(more, n_components=4)
    assert found.equals(pysces.embed_network(edges, n_components=4))


def test_most_of_a_component_is_positive_where_all_weights_are() -> None:
    edges = communities().assign(mor=1.0)
    assert (pysces.embed_network(edges, n_components=2)["component_1"] > 0).all()


# --- the same everywhere --------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_order_of_edges_and_seed_change_nothing(engine: str) -> None:
    need(engine)
    edges = random_edges(12, 80, 15)
    right = pysces.embed_network(edges, n_components=5, engine=engine)
    shuffled = edges.sample(frac=1, random_state=3)
    assert pysces.embed_network(shuffled, n_components=5, engine=engine).equals(right)
    again = pysces.embed_network(edges, n_components=5, seed=17, engine=engine)
    np.testing.assert_allclose(again, right, atol=1e-7)


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_agree_on_graphs_too_large_for_the_dense_solver(engine: str) -> None:
    need(engine)
    edges = random_edges(40, 600, 30)
    with pysces.use_engine("python"):
        right = pysces.embed_network(edges, n_components=8)
    found = pysces.embed_network(edges, n_components=8, engine=engine)
    largest = right.abs().max(axis=None)
    np.testing.assert_allclose(found, right, rtol=0, atol=1e-6 * largest)
    shuffled = edges.sample(frac=1, random_state=3)
    assert pysces.embed_network(shuffled, n_components=8, engine=engine).equals(found)
    again = pysces.embed_network(edges, n_components=8, seed=17, engine=engine)
    np.testing.assert_allclose(again, right, rtol=0, atol=1e-6 * largest)


def test_ten_thousand_nodes_converge() -> None:
    edges = random_edges(600, 10_000, 60)
    found = pysces.embed_network(edges)
    assert len(found) > 9500
    assert max(found.attrs["residuals"]) < 1e-11


# --- refusals and size ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n_components": 0}, "'n_components' parameter must be an int in the range"),
        ({"n_components": 2.0}, "n_components"),
        ({"regularisation": -1}, "regularisation"),
        ({"regularisation": np.nan}, "regularisation"),
        ({"regularisation": np.inf}, "regularisation"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_parameters_are_refused(wrong: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        pysces.embed_network(random_edges(3, 9, 3), **wrong)


@pytest.mark.parametrize("mor", [[], [0.0, 0.0]])
def test_a_network_without_edges_is_refused(mor: list[float]) -> None:
    edges = pd.DataFrame({"source": ["A", "B"], "target": ["C", "C"]})[: len(mor)].assign(mor=mor)
    with pytest.raises(InputError, match="nothing to embed"):
        pysces.embed_network(edges)
    with pytest.raises(InputError, match="a Network or a DataFrame"):
        pysces.embed_network("aracne")  # type: ignore[arg-type]


@pytest.mark.slow
def test_half_a_million_edges_fit_in_little_memory(fast) -> None:
    n_regulators, n_genes, n_edges = 1800, 20_000, 500_000
    rng = _seeds.generator(0, "large")
    source = rng.integers(0, n_regulators, size=2 * n_edges)
    own = rng.random(2 * n_edges) < 0.5  # half of the targets are of one of 20 communities
    target = rng.integers(0, n_genes // 20, size=2 * n_edges) * 20 + source % 20
    target = np.where(own, target, rng.integers(0, n_genes, size=2 * n_edges))
    pairs = rng.permutation(np.unique(source * n_genes + target))[:n_edges]
    names = np.array([f"g{number}" for number in range(n_genes)])
    codes = {"source": pairs // n_genes, "target": pairs % n_genes}
    ends = {key: pd.Categorical.from_codes(code, names) for key, code in codes.items()}
    network = pysces.Network(pd.DataFrame(ends).assign(mor=rng.uniform(0.2, 1, size=n_edges)))
    tracemalloc.start()
    try:
        found = pysces.embed_network(network, n_components=20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 500e6
    regulators = found.loc[[f"g{number}" for number in range(200)]]
    alike = cosines(regulators).to_numpy() - np.eye(200)
    group = np.arange(200) % 20
    assert (group[alike.argmax(axis=1)] == group).all()
