"""L2 logistic regression, refitted after every label: which solver runs when.

The objective is scikit-learn's ``LogisticRegression``: the log-losses of the labelled rows plus
``penalty / 2`` times the squared weights, intercepts free, ``penalty = 1 / C``.

==================  =======================  =======================================================
Classes seen        First                    If float32 cannot bring it to the tolerance
==================  =======================  =======================================================
0 or 1              no fit                   (`kernels.metrics.classes_seen`)
2                   `binary`, float32 BFGS   `newton.newton_weights`, at once, in the same kernel
3 or more           `multinomial`, float32   `newton.newton_softmax` up to `update.MOST_UNKNOWNS`
                    limited-memory BFGS      weights, else `multinomial_float64.finish`
==================  =======================  =======================================================

Float32 first, because 16 numbers fit one vector and nearly all fits (standardised columns, C about
1) end there in a few iterations. It does not reach the tolerance when the penalty is so weak, or
the rows so large, that the gradient is the small remainder of large sums; each solver says so
itself (`binary.CERTAIN`, `multinomial.CERTAIN`), and `update.FLAT` sends what is sure to fail.

Both keep their inverse Hessian from label to label: a new row enters by Sherman and Morrison, so
that a refit begins near its end. Two classes keep all of it (one column of weights), more classes
keep that of one block and a few pairs.

The finish for more than two classes is a kernel of its own (`update.finish_logistic`), compiled
when something first needs it. The LAL-RL workload calls `binary` alone, with columns as
coordinates; other fits of more than `span.NARROW` columns live in the span of their rows (`span`).
"""
