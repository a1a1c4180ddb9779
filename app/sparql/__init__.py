"""SPARQL 1.1 Protocol: a request becomes a value, the value is guarded and run in the cage."""
