"""The local geometry of an embedding (paper, Eq. 5): products with its Jacobian, spectrum, normal and null space."""
