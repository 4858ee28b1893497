"""L2 logistic regression, refitted after every label."""
