"""Loaders: one module per kind of data set, all giving the same item record."""
