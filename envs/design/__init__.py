"""Sequential Bayesian experimental design: models, environment, evaluation."""
