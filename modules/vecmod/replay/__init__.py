"""Is it safe to switch? Real requests recorded, sent to two services, their answers compared. Knows neither wing."""
