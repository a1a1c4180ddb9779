"""Open sources and code lists to RDF: pure functions from rows to triples, and thin reading.

Each module knows one source. `build` runs them all and writes the files that are shipped.
"""
