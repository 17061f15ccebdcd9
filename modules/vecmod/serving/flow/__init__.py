"""The road of one request: decode, prepare, batch, answer in order. Knows no HTTP."""
