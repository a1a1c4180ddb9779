"""Reconciliation: which entity somebody's name, identifier or address means.

`spelling` brings names into the form in which they are compared, `scoring` compares and decides,
`names` finds the few entities that are worth comparing, `protocol` reads what is asked, `answers`
writes what is answered, `jobs` runs in the cage; `service` is what the server calls.
"""
