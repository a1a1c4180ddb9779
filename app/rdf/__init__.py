"""RDF without opinions: terms, media types, parsing, blank nodes, diffs. Imports only errors."""
