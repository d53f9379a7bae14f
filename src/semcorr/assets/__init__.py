"""Weights and data sets by key: where they come from, how they are fetched, verified and found."""
