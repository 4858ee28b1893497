"""Active search: spend a fixed number of labels so that they find as many targets as possible."""
