"""Files that a script writes and reads by itself, beside what frameworks do."""
