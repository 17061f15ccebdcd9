"""Sample photos with free licences (CREDITS.md), queries and films made from some of them, classes for them."""
