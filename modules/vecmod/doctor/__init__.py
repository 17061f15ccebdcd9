"""What is installed, reachable and would run here, and what to do about the rest."""
