"""One file a protocol: the bytes of a frame to columnar readings. No I/O, no clock."""
