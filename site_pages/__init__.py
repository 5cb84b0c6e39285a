"""The documentation's site: what mkdocs builds beside the pages of docs/."""
