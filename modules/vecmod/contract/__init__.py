"""What crosses the wire between the two wings: names, bodies, errors. Knows neither models nor databases."""
