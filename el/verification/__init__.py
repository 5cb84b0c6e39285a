"""`python -m el verify`: whether raw holds what the source has, up to the bound of the last load, while both live."""
