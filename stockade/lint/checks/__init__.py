"""The checks, one file for each family; `registry` lists them."""
