"""Parameters of `run_aracne` and `infer_network`: explicit, alike, and handed on as given."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, get_args

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import pysces
from pysces.aracne import _inference
from pysces.aracne._options import AracneOptions
from pysces.cli import COMMANDS, main
from pysces.cli_parser import parser
from pysces.viper._enrichment import Compat, Enrichment
from pysces.viper._signatures import Method

RUN, INFER = (
    {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for function in (pysces.run_aracne, pysces.infer_network)
)
OPTIONS = {field.name: field.default for field in dataclasses.fields(AracneOptions)}
OF_ANNDATA = {"layer", "mask_var", "groupby", "min_samples", "key_added", "copy"}
# Where the work is done, and what only an AnnData has, is tested elsewhere.
ELSEWHERE = {*OF_ANNDATA, "size_factors", "batch_key", "checkpoint", "client"}
OTHER = {
    "estimator": "binned",
    "degree": 2,
    "counts": False,
    "min_cells": 3,
    "n_bins": 7,
    "ties": "together",
    "miller_madow": True,
    "resampling": "bootstrap",
    "n_resamples": 7,
    "alpha": 0.01,
    "correction": "bonferroni",
    "consensus": "poisson",
    "min_support": 0.7,
    "resample_pvalue": 0.01,
    "n_decoys": 3,
    "dpi": "maxent",
    "dpi_tolerance": 0.1,
    "n_null": 5000,
    "seed": 9,
}


def test_defaults_are_the_same_wherever_they_are_written() -> None:
    assert set(RUN) - set(INFER) == OF_ANNDATA
    assert set(INFER) - set(RUN) == {"genes"}
    shared = [name for name in RUN if name in INFER]
    assert [name for name in INFER if name in RUN] == shared  # in the same order
    assert {name: RUN[name] for name in shared} == {name: INFER[name] for name in shared}
    assert {name: RUN[name] for name in OPTIONS} == OPTIONS


def test_the_command_line_has_the_same_parameters() -> None:
    given = vars(parser(COMMANDS).parse_args(["aracne", "x.h5ad", "-o", "net.tsv"]))
    own = {"command", "expression", "output", "quiet", "regulators", "transpose", "verbose"}
    found = {name: value for name, value in given.items() if name not in own}
    wanted = {name: value for name, value in RUN.items() if name not in ("key_added", "copy")}
    assert found == wanted | {"dpi": "dpi"}  # what True means


@pytest.mark.parametrize(
    ("command", "function", "given", "some"),
    [
        ("viper", pysces.run_viper, [], {"signature", "enrichment", "compat", "min_targets"}),
        (
            "msviper",
            pysces.run_msviper,
            ["--groupby", "kind", "--group", "a"],
            {"reference", "alpha", "min_targets"},
        ),
    ],
)
def test_the_command_line_of_viper_has_the_defaults_of_the_function(
    command: str, function: Any, given: list[str], some: set[str]
) -> None:
    arguments = [command, "x.h5ad", "-n", "n.tsv", "-o", "a.tsv", *given]
    own = {"command", "expression", "network", "output", "quiet", "transpose", "verbose"}
    own |= {"groupby", "group"} if given else set()
    options = vars(parser(COMMANDS).parse_args(arguments))
    found = {name: value for name, value in options.items() if name not in own}
    parameters = inspect.signature(function).parameters
    assert found == {name: parameters[name].default for name in found}
    assert some | {"n_permutations", "seed", "engine"} <= set(found)


@pytest.mark.parametrize(
    ("option", "values"),
    [("signature", Method), ("enrichment", Enrichment), ("compat", Compat)],
)
def test_choices_of_viper_are_handed_on(
    option: str, values: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pysces.data.read.read_expression", lambda *_, **__: None)
    for value in get_args(values):

        def stop(*_: Any, value: str = value, **given: Any) -> None:
            assert given[option] == value
            raise Stopped

        monkeypatch.setattr(pysces, "run_viper", stop)
        given = ["viper", "x.h5ad", "-n", "n.tsv", "-o", "a.tsv", f"--{option}", value]
        with pytest.raises(Stopped):
            main(given)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["--counts", "true", "--degree", "2"], {"counts": True, "degree": 2}),
        (["--counts", "false", "--degree", "auto"], {"counts": False, "degree": "auto"}),
        (["--size-factors", "depth"], {"size_factors": "depth"}),
        (["--batch-key", "donor", "--min-cells", "3"], {"batch_key": "donor", "min_cells": 3}),
        (["--min-support", "0.7"], {"min_support": 0.7}),
        (["--resample-pvalue", "0.001"], {"resample_pvalue": 0.001}),
        (["--resampling", "none"], {"resampling": None}),
        (["--estimator", "adaptive"], {"estimator": "adaptive"}),
    ],
)
def test_the_command_line_hands_on_what_it_is_given(given, wanted, monkeypatch) -> None:
    def stop(*_: Any, **options: Any) -> None:
        assert {name: options[name] for name in wanted} == wanted
        raise Stopped

    monkeypatch.setattr("pysces.data.read.read_expression", lambda *_, **__: None)
    monkeypatch.setattr(pysces, "run_aracne", stop)
    with pytest.raises(Stopped):
        main(["aracne", "x.h5ad", "-o", "net.tsv", *given])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("degree", True, r"must be one of \['auto', 1, 2\]"),
        ("degree", "2", r"must be one of \['auto', 1, 2\]"),
        ("counts", 1, r"must be one of \['auto', True, False\]"),
        ("min_support", "half", "must be a number"),
        ("resample_pvalue", "Auto", r"must be a number in the range \(0, 1\] or 'auto'"),
        ("n_resamples", "Auto", r"an int in the range \[1, inf\) or 'auto'"),
        ("n_resamples", np.array([1, 2]), "must be an int"),
    ],
)
def test_bad_values_are_named(name: str, value: Any, message: str) -> None:
    with pytest.raises(pysces.InputError, match=f"'{name}' parameter {message}|{message}"):
        AracneOptions(**{name: value})


def test_a_bad_flag_is_named() -> None:
    with pytest.raises(pysces.InputError, match="'miller_madow' parameter must be True or False"):
        AracneOptions(estimator="binned", miller_madow="no")  # type: ignore[arg-type]


def test_numbers_of_numpy_are_plain_ones() -> None:
    options = AracneOptions(seed=np.int32(3), alpha=np.float32(0.5), n_null=np.int64(10_000))
    assert [type(v) for v in (options.seed, options.alpha, options.n_null)] == [int, float, int]


NEEDS = {name: {"estimator": "binned"} for name in ("n_bins", "ties", "miller_madow")}


class Stopped(Exception):
    """Ends a run before the work, with what it was asked."""


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in ELSEWHERE])
def test_each_option_is_handed_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any) -> None:
        options = next(given for given in arguments if isinstance(given, AracneOptions))
        raise Stopped(dataclasses.asdict(options))

    monkeypatch.setattr(_inference, "infer", stop)
    values = np.random.default_rng(0).normal(size=(20, 3))
    table = pd.DataFrame(values, index=[f"s{k}" for k in range(20)], columns=list("ABC"))
    assert OTHER[name] != OPTIONS[name]
    given = {name: OTHER[name], **NEEDS.get(name, {})}
    for call, data in ((pysces.run_aracne, ad.AnnData(table)), (pysces.infer_network, table)):
        with pytest.raises(Stopped) as stopped:
            call(data, ["A"], **given)
        assert stopped.value.args[0] == OPTIONS | given


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(TypeError, match="n_resample"):
        pysces.infer_network(pd.DataFrame(), n_resample=3)  # type: ignore[call-arg]
