"""Media: from the text on the wire to pixels. Knows neither models nor HTTP."""
