"""Samples from cells, before anything is inferred from them: metacells and pseudobulk."""
