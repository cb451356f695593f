"""The SQL cache of the records of a store, and the query language."""
