"""Files of Cell Ranger, loom and MuData, written here and read as other packages read them."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp

import pysces
from pysces import InputError, read_expression

COUNTS = np.random.default_rng(0).poisson(1.0, size=(5, 4)).astype(np.int32)  # cells x features
BARCODES = [f"CELL{number}-1" for number in range(5)]
IDS = ["ENSG1", "ENSG2", "ENSG3", "ENSG4"]
SYMBOLS = ["MYC", "TBCE", "TBCE", "CD3"]
KINDS = ["Gene Expression"] * 3 + ["Antibody Capture"]


def write_h5(path: Path, *, version: int = 3, groups: tuple[str, ...] = ("matrix",)) -> None:
    matrix = sp.csr_matrix(COUNTS)
    with h5py.File(path, "w") as file:
        for name in groups:
            group = file.create_group(name)
            group["data"], group["indices"], group["indptr"] = (
                matrix.data,
                matrix.indices,
                matrix.indptr,
            )
            group["shape"] = COUNTS.shape[::-1]
            group["barcodes"] = np.array(BARCODES, dtype="S")
            if version == 3:
                group["features/id"] = np.array(IDS, dtype="S")
                group["features/name"] = np.array(SYMBOLS, dtype="S")
                group["features/feature_type"] = np.array(KINDS, dtype="S")
            else:
                group["genes"] = np.array(IDS, dtype="S")
                group["gene_names"] = np.array(SYMBOLS, dtype="S")


def write_folder(folder: Path, *, prefix: str = "", packed: bool = True, old: bool = False) -> None:
    folder.mkdir(exist_ok=True)
    end = ".gz" if packed else ""

    def put(name: str, text: bytes) -> None:
        path = folder / f"{prefix}{name}{end}"
        path.write_bytes(gzip.compress(text) if packed else text)

    plain = folder / "plain.tmp"
    scipy.io.mmwrite(plain, sp.coo_matrix(COUNTS.T), field="integer")
    written = next(folder.glob("plain.tmp*"))
    put("matrix.mtx", written.read_bytes())
    written.unlink()
    columns = [IDS, SYMBOLS] if old else [IDS, SYMBOLS, KINDS]
    rows = "".join("\t".join(row) + "\n" for row in zip(*columns, strict=True))
    put("genes.tsv" if old else "features.tsv", rows.encode())
    put("barcodes.tsv", "".join(f"{name}\n" for name in BARCODES).encode())


def check(adata: ad.AnnData, *, genes_only: bool = True) -> None:
    n = 3 if genes_only else 4
    assert adata.obs_names.tolist() == BARCODES
    assert adata.var_names.tolist() == ["MYC", "TBCE", "TBCE-1", "CD3"][:n]
    assert adata.var["gene_ids"].tolist() == IDS[:n]
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS[:, :n])


def test_counts_of_cell_ranger_in_hdf5(tmp_path: Path) -> None:
    write_h5(tmp_path / "filtered_feature_bc_matrix.h5")
    check(read_expression(tmp_path / "filtered_feature_bc_matrix.h5"))
    write_h5(tmp_path / "old.h5", version=2, groups=("GRCh38",))
    check(read_expression(tmp_path / "old.h5"), genes_only=False)


def test_hdf5_is_read_as_scanpy_reads_it(tmp_path: Path) -> None:
    scanpy = pytest.importorskip("scanpy", reason="the comparison needs scanpy")
    write_h5(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "a") as file:  # required by scanpy
        file["matrix/features/genome"] = np.array(["GRCh38"] * 4, dtype="S")
    with pytest.warns(UserWarning, match="not unique"):
        wanted = scanpy.read_10x_h5(tmp_path / "x.h5")
    wanted.var_names_make_unique()
    found = read_expression(tmp_path / "x.h5")
    # Names are objects or, with pandas 3, strings.
    pd.testing.assert_frame_equal(
        found.to_df(), wanted.to_df(), check_index_type=False, check_column_type=False
    )


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("prefix", ["", "GSM1_"])
def test_folders_of_cell_ranger(tmp_path: Path, packed: bool, old: bool, prefix: str) -> None:
    folder = tmp_path / "filtered.feature_bc_matrix"  # a dot is no ending
    write_folder(folder, prefix=prefix, packed=packed, old=old)
    check(read_expression(folder), genes_only=not old)
    matrix = next(folder.glob("*matrix.mtx*"))
    check(read_expression(matrix), genes_only=not old)


def test_loom(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.loom", "w") as file:
        file["matrix"] = COUNTS.T
        file["row_attrs/Gene"] = np.array(["MYC", "TBCE", "TBCE", "CD3"], dtype="S")
        file["col_attrs/CellID"] = np.array(BARCODES, dtype="S")
        file["col_attrs/donor"] = np.array(["a", "b", "a", "b", "a"], dtype="S")
        file["col_attrs/depth"] = COUNTS.sum(axis=1)
        file["col_attrs/pca"] = np.zeros((5, 2))
    adata = read_expression(tmp_path / "x.loom")
    assert adata.var_names.tolist() == ["MYC", "TBCE", "TBCE-1", "CD3"]
    assert adata.obs_names.tolist() == BARCODES
    assert adata.obs["donor"].tolist() == ["a", "b", "a", "b", "a"]
    assert adata.obs["depth"].tolist() == COUNTS.sum(axis=1).tolist()
    np.testing.assert_array_equal(adata.X.toarray(), COUNTS)


def test_modalities(tmp_path: Path) -> None:
    mudata = pytest.importorskip("mudata", reason="writes the file")
    rna = ad.AnnData(COUNTS.astype(float), var=pd.DataFrame(index=["A", "B", "C", "D"]))
    other = ad.AnnData(np.ones((5, 2)), var=pd.DataFrame(index=["p1", "p2"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about future defaults of MuData
        mudata.MuData({"rna": rna, "prot": other}).write(tmp_path / "x.h5mu")
    assert read_expression(tmp_path / "x.h5mu").to_df().equals(rna.to_df())
    found = read_expression(tmp_path / "x.h5mu", modality="prot")
    assert found.var_names.tolist() == ["p1", "p2"]
    with pytest.raises(InputError, match=r"holds the modalities 'prot', 'rna'. Pass modality="):
        read_expression(tmp_path / "x.h5mu", modality="atac")
    with pytest.raises(InputError, match=r"modality= is for .h5mu files only"):
        read_expression(tmp_path, modality="rna")


def test_faults_are_named(tmp_path: Path) -> None:
    def fault(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            read_expression(path)
        return str(caught.value)

    assert "has no file named matrix.mtx" in fault(tmp_path)
    write_folder(tmp_path / "cells")
    (tmp_path / "cells" / "barcodes.tsv.gz").unlink()
    assert "Did not find barcodes.tsv or barcodes.tsv.gz" in fault(tmp_path / "cells")
    write_folder(tmp_path / "cells", prefix="b_")
    assert "several matrices: 'b_matrix.mtx.gz', 'matrix.mtx.gz'. Pass" in fault(tmp_path / "cells")
    (tmp_path / "cells" / "b_barcodes.tsv.gz").write_bytes(gzip.compress(b"one\n"))
    assert "4 names of genes and 1 barcodes" in fault(tmp_path / "cells" / "b_matrix.mtx.gz")
    write_h5(tmp_path / "two.h5", groups=("GRCh38", "mm10"))
    assert "holds genomes 'GRCh38', 'mm10'" in fault(tmp_path / "two.h5")
    write_h5(tmp_path / "bad.h5")
    with h5py.File(tmp_path / "bad.h5", "a") as file:
        file["matrix/indices"][0] = 99
    assert "bad.h5 cannot be read as counts of Cell Ranger" in fault(tmp_path / "bad.h5")
    for name in ("text.h5", "text.loom", "text.h5mu"):
        (tmp_path / name).write_text("MYC")
        assert f"{name} cannot be read as" in fault(tmp_path / name)


def test_a_network_is_inferred_from_a_folder(tmp_path: Path) -> None:
    """On the command line too, where nobody can make names unique."""
    from pysces.cli import main

    rng = np.random.default_rng(1)
    write_folder(tmp_path / "cells")
    counts = rng.poisson(4.0, size=(60, 4))
    counts[:, 1] += 3 * counts[:, 0]
    scipy.io.mmwrite(tmp_path / "m.mtx", sp.coo_matrix(counts.T), field="integer")
    (tmp_path / "cells" / "matrix.mtx.gz").write_bytes(
        gzip.compress((tmp_path / "m.mtx").read_bytes())
    )
    (tmp_path / "cells" / "barcodes.tsv.gz").write_bytes(
        gzip.compress("".join(f"c{number}\n" for number in range(60)).encode())
    )
    (tmp_path / "tf.txt").write_text("MYC\n")
    out = tmp_path / "net.tsv"
    given = ["-r", str(tmp_path / "tf.txt"), "--n-resamples", "10", "--n-null", "20000"]
    assert main(["aracne", str(tmp_path / "cells"), "-q", *given, "-o", str(out)]) == 0
    assert "TBCE" in pysces.read_network(out).targets_of("MYC")
