"""Runtimes: arrays in, arrays out. Knows neither media nor HTTP."""
