"""Few-shot selection: three heads over one embedding."""
