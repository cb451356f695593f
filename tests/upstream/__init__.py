"""Frameworks' own tests, as they lie in the wheels, with autolog off and on."""
