"""One file a host: our policies inside other people's libraries."""
