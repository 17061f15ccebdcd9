"""A module in a package of its own: the row that the host reads, and the service behind it."""
