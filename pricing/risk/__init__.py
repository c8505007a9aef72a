"""Risk models: what a book's claims say about frequency and severity, and how far to believe one policy's own."""
