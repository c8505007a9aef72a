"""Files to columnar readings: CSV by a declared mapping, GPX, Parquet."""
