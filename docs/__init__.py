"""The documentation, and what writes and reads its generated and runnable parts."""
