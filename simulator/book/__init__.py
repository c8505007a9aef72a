"""A book of policies over years, from the same population as the simulated trips, without simulating each second.

`world.simulate_book` is the path: quotes, conversions, then term by term driving, claims, service, renewal.
`formula.toml` is the truth of it all; tests and reports read that file, nothing else knows its numbers.
"""
