"""Pictures turned into pictures: masks of the object, one module per kind."""
