"""The gate: whatever comes in is parsed, normalised, skolemised, validated, diffed, appended."""
