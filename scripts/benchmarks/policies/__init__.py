"""Shipped pool policies on many data sets."""
