"""Contact sheets and drawings; stages `sheets`, `decode` and `sample` call them."""
