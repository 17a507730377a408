"""How good a mask is without looking at it, and how wrong a set of accepted masks can be."""
