"""Measurements, and the graphs they are taken on."""
