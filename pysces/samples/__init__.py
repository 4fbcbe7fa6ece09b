"""Pool cells into samples before inference: metacells and pseudobulk."""
