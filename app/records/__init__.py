"""Records: what the merged graph says about a thing, as JSON for people who need no RDF.

`graph` reads all named graphs as one, `names` finds what to call a thing, `record` builds a
record, `listing` finds, filters, sorts and counts, `document` gives the RDF of one thing. They
run in the cage (`jobs`); `service` is what the server calls.
"""
