"""What the adapters of transformers' models share; a family declares what is special about it as a `Recipe`."""
