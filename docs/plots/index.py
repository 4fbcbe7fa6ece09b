"""The plot of the first page."""

import matplotlib.pyplot as plt
import scanpy as sc

import pysces

adata = sc.datasets.pbmc68k_reduced().raw.to_adata()
pysces.run_aracne(adata, n_resamples=20, n_null=200_000)
pysces.run_viper(adata)
_, ax = plt.subplots(figsize=(9, 6.5))
pysces.pl.activity_heatmap(adata, "bulk_labels", n_regulators=25, ax=ax)
