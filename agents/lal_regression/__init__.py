"""LAL: regression of what a label gains a random forest; see README.md."""
