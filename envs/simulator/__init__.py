"""Many labelling episodes at once, in compiled kernels."""
