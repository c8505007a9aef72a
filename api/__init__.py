"""Stage 5: HTTP API and web pages: roles, portals, errors."""
