"""The document's sources and the Sphinx extension that reads them."""
