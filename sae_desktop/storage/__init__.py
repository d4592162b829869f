"""Files that cannot break: contiguous HDF5, atomic writes, the project lock."""
