"""Labelling on a web page of this machine."""
