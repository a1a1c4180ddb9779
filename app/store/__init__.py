"""The graph store: a follower of the log that answers SPARQL."""
