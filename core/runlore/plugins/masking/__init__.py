"""Texts that may hold a secret, masked; most runs load none of it."""
