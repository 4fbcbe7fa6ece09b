"""Constants shared by all engines, so that results agree: bits of fixed points, and limits.

The GPU kernels (`mlx/_gpu_source.py`) contain them as literals.
"""

FRACTION_BITS = 40  # of mutual information in fixed point; an estimator may have to use fewer
DISCOUNT_BITS = 30  # of the kept fraction of the data processing inequality

# Sums of a gene's values (`gene_sums`): bits of the largest magnitude, in two halves. 2^18 squares
# of halves still fit in 63 bits.
SUM_BITS = 44
HALF_BITS = 22
NO_SPREAD = 2.0**-26  # of a gene's sum of squares: below it the other cells are all alike

NOISE = 2.0**-40  # scores this close to 0, or to each other, differ only by rounding

SMALL = 64  # counts below it are counted in a table
LARGEST_COUNT = 2.0**53  # larger integers are not all numbers of float64

NOWHERE = -(2**31)  # level of a gene that a batch does not have
