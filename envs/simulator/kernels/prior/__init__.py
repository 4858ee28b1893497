"""The synthetic task prior: recipes, kinds of classes, and the draws they are made of."""
