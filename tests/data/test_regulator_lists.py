"""The packaged lists of transcription factors and other regulators."""

import itertools
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


# --- co-factors, chromatin regulators, signalling and surface proteins ---------------------------

KINDS = ["chromatin", "cofactor", "signalling", "surface"]
MEMBERS = {
    "chromatin": words(
        "ARID1A ASXL1 ATRX BAP1 BMI1 BPTF BRD4 CBX2 CHAF1A CHD4 CREBBP DAXX DNMT1 DOT1L EED EHMT2 "
        "EP300 EZH2 HDAC1 HDAC3 HIRA INO80 KAT2A KDM1A KDM5B KMT2A NSD1 PRMT5 RING1 SETD2 SIRT1 "
        "SMARCA4 SUPT16H SUZ12 TET2 UHRF1"
    ),
    "cofactor": words(
        "AFF4 BCL9 BTG2 CBFB CIITA CITED2 CRTC1 CTBP1 CTNNB1 GTF2B ID1 ID2 ID3 ID4 JUP LDB1 LMO2 "
        "MAML1 MED1 MED12 NCOA1 NCOR1 NCOR2 NFKBIA PIAS1 PPARGC1A RB1 RBL1 SKI SUFU TAF1 TLE1 "
        "TSC22D3 WWTR1 YAP1"
    ),
    "signalling": words(
        "ADCY1 AKT1 AXIN1 BMP4 BRAF CDK4 CXCL12 CXCR4 DUSP6 DVL1 EGFR FZD1 GNAS GRB2 GSK3B HRAS "
        "IL6 IL6R IRS1 JAK1 JAK2 KRAS LATS1 LCK MAPK1 MTOR MYD88 NOTCH1 PDE4D PDGFRB PIK3CA PIK3R1 "
        "PLCG1 PRKCA PTCH1 PTEN PTPN11 RAC1 RGS1 RHOA SHH SMO SOCS3 SOS1 SRC STK11 TGFB1 TNF TRAF6 "
        "VAV1 VEGFA WNT3A ZAP70"
    ),
    "surface": words(
        "ALCAM CD19 CD24 CD274 CD3E CD4 CD44 CD8A CDH1 CEACAM1 CSF1R CTLA4 CXCR4 EGFR ENPP1 ENTPD1 "
        "EPCAM ERBB2 FASLG FLT3 FOLH1 HAVCR2 ICOS IL7R ITGAM ITGAX ITGB1 KDR KIT LAG3 MS4A1 MSLN "
        "MUC1 NCAM1 NECTIN2 NOTCH1 NT5E PDCD1 PECAM1 PROM1 PTPRC SDC1 SELL SLC2A1 TACSTD2 TFRC "
        "THY1 TIGIT TNFRSF1A TREM2"
    ),
}
OTHER_PATTERN = {
    "human": r"[A-Z][A-Z0-9]*(?:orf[0-9]+)?(?:-[A-Z0-9]+)*",
    "mouse": r"[A-Z][a-z0-9]*(?:-[A-Za-z0-9]+)*",
}
# Housekeeping genes, transcription factors, receptors of smell, histones
ELSEWHERE = words("ACTB GAPDH TUBB OR5A1 TAS2R38 RPL3 MYC TP53 STAT1 ESR1 H3C1 MT-CO1")


MOUSE = {"CD24": "Cd24a", "FASLG": "Fasl", "IL6R": "Il6ra", "SUPT16H": "Supt16"}


def mouse_symbol(human: str) -> str:
    return MOUSE.get(human, human.capitalize())


def read_others(species: str) -> pd.DataFrame:
    path = DATA / f"other_regulators_{species}.tsv"
    return pd.read_csv(path, sep="\t", comment="#", dtype=str, keep_default_na=False)


@pytest.mark.parametrize("species", SPECIES)
def test_table_of_other_regulators(species: str) -> None:
    table = read_others(species)
    assert list(table.columns) == ["symbol", "kind", "family"]
    assert sorted(table["kind"].unique()) == KINDS
    assert not table.duplicated(["symbol", "kind"]).any()
    rows = list(table[["kind", "family", "symbol"]].itertuples(index=False, name=None))
    assert rows == sorted(rows)
    symbols = table["symbol"]
    assert symbols[~symbols.str.fullmatch(OTHER_PATTERN[species])].tolist() == []
    assert (table["family"].str.strip() != "").all()
    for kind in KINDS:
        own = table.loc[table["kind"] == kind, "symbol"].tolist()
        assert pysces.regulators(species, kind) == own
        assert len(own) > 400


@pytest.mark.parametrize("species", SPECIES)
@pytest.mark.parametrize("kind", KINDS)
def test_well_known_members(species: str, kind: str) -> None:
    symbols = set(pysces.regulators(species, kind))
    change = str if species == "human" else mouse_symbol
    assert [s for s in MEMBERS[kind] if change(s) not in symbols] == []
    assert [s for s in ELSEWHERE if change(s) in symbols] == []


@pytest.mark.parametrize("species", SPECIES)
def test_kinds_share_no_gene_but_surface(species: str) -> None:
    """As `pysces.regulators` documents it."""
    kinds = {kind: set(pysces.regulators(species, kind)) for kind in ("tf", *KINDS)}
    for first, second in itertools.combinations(kinds, 2):
        common = kinds[first] & kinds[second]
        if {first, second} == {"signalling", "surface"}:
            assert 700 < len(common) < 1100
        else:
            assert len(common) <= (3 if second == "surface" and first != "tf" else 0), common
