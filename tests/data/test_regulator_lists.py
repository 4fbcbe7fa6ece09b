"""The packaged lists of transcription factors."""

from pathlib import Path

import pandas as pd
import pytest

import pysces

DATA = Path(pysces.__file__).parent / "data"

# MGI symbols are capitalised; digits and lower-case letters follow.
PATTERN = {
    "human": r"[A-Z][A-Z0-9]*(?:orf[0-9]+)?(?:-[0-9]+)?",
    "mouse": r"[A-Z][a-z0-9]*(?:-[0-9]+)?",
}


def words(text: str) -> list[str]:
    return text.split()


SHARED = words(
    "SOX2 MYC STAT1 STAT3 IRF4 IRF8 GATA1 GATA3 SPI1 PAX5 EBF1 RUNX1 RUNX3 TBX21 EOMES FOXP3 BCL6 "
    "PRDM1 XBP1 CEBPA CEBPB JUN FOS NFKB1 RELA ESR1 AR PPARG HNF4A FOXA1 NANOG POU5F1 KLF4 "
    "CTCF REST MYOD1 NEUROD1 TCF7 LEF1 HOXA9 ZEB1 YY1"
)
KNOWN = {
    "human": [*SHARED, *words("TP53 TBXT ZNF143 NKX2-1")],
    "mouse": [*map(str.capitalize, SHARED), *words("Trp53 T Zfp143 Nkx2-1")],
}

# Cofactors, remodelers and signalling proteins are left out, and so are old symbols.
ABSENT = {
    "human": words("EP300 CREBBP SMARCA4 EZH2 HDAC1 MTOR CBFB ID2 T ARNTL"),
    "mouse": words("Ep300 Crebbp Smarca4 Ezh2 Hdac1 Mtor Cbfb Id2 Tp53 Arntl"),
}

SPECIES = ["human", "mouse"]


def read(species: str) -> pd.DataFrame:
    path = DATA / f"regulators_{species}.tsv"
    return pd.read_csv(path, sep="\t", comment="#", dtype=str, keep_default_na=False)


@pytest.mark.parametrize("species", SPECIES)
def test_shape(species: str) -> None:
    table = read(species)
    assert list(table.columns) == ["symbol", "family"]
    assert len(table) >= 1200
    assert table["symbol"].is_unique
    assert not table["symbol"].str.upper().duplicated().any()


@pytest.mark.parametrize("species", SPECIES)
def test_symbols_follow_the_nomenclature(species: str) -> None:
    symbols = read(species)["symbol"]
    assert symbols[~symbols.str.fullmatch(PATTERN[species])].tolist() == []
    # no pseudogene of a zinc finger
    assert symbols[symbols.str.fullmatch(r"(?i)Z(?:NF|FP)[0-9A-Z]*(?:P[0-9]*|-ps)")].tolist() == []


@pytest.mark.parametrize("species", SPECIES)
def test_families(species: str) -> None:
    table = read(species)
    assert (table["family"].str.strip() == table["family"]).all()
    assert (table["family"] != "").all()
    assert table["family"].nunique() > 50


@pytest.mark.parametrize("species", SPECIES)
def test_sorted_by_family_and_symbol(species: str) -> None:
    rows = list(read(species)[["family", "symbol"]].itertuples(index=False, name=None))
    assert rows == sorted(rows)


@pytest.mark.parametrize("species", SPECIES)
def test_well_known_factors(species: str) -> None:
    symbols = set(read(species)["symbol"])
    assert len(KNOWN[species]) >= 40
    assert [s for s in KNOWN[species] if s not in symbols] == []
    assert [s for s in ABSENT[species] if s in symbols] == []


def test_the_two_species_agree() -> None:
    human, mouse = read("human"), read("mouse")
    assert set(human["family"]) == set(mouse["family"])
    # outside the zinc fingers that were numbered apart, most names correspond
    named = mouse[~mouse["symbol"].str.startswith("Zfp")]
    pairs = named.merge(
        human, left_on=named["symbol"].str.upper(), right_on="symbol", suffixes=("_mouse", "_human")
    )
    assert len(pairs) > 0.9 * len(named)
    assert (pairs["family_mouse"] == pairs["family_human"]).all()
