"""HTTP: read a request, call one room, shape the reply."""
