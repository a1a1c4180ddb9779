"""LifeTec Graph: an open, validated, followable knowledge graph of a LifeTec region."""
