"""Steps of one query: the request, its labels, screening of large pools, and selection."""
