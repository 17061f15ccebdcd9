"""Sample photos with free licences (CREDITS.md), query pictures made from some of them, and a class for them."""
