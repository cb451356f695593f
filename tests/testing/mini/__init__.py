"""A framework with all that frameworks have, as small as can be, and its integration: what mutants are made of."""
