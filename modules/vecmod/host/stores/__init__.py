"""Vector databases behind one protocol, one adapter each over the database's own client."""
