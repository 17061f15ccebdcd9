"""The service wing: from an HTTP body to vectors. Knows no database."""
