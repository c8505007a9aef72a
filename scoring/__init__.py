"""Stage 2: readings -> trips -> matched trips -> events, features -> driving score."""
