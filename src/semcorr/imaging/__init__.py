"""Pictures turned into pictures: masks of the object and depth, one module per kind."""
