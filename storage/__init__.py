"""Stage 0: PostgreSQL. Mechanisms only: server, pool, roles, migrations, partitions, columnar COPY."""
