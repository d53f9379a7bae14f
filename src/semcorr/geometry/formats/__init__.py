"""Parsers of mesh files, one module per format; `semcorr.geometry.reader` is the way in."""
