"""Where code, files and weights come from."""
