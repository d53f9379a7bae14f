"""What exported meshes show; stage `export` writes them."""
