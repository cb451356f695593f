"""The files of a run: written, sealed, and read back as docs/format.md describes."""
