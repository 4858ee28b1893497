"""Single-line faults: making them, finding the tests that reach them, running these tests."""
