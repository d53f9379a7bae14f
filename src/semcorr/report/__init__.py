"""Figures, coloured meshes and the page that turns a pair."""
