"""Active search: find as many targets as possible with a fixed number of labels."""
