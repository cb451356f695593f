"""The entry point, which names the libraries that are followed without importing one."""

from runlore.hookspecs import Integration, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Return a switch for each library: what it writes, draws and reads where the user's own code calls it."""
    from runlore_scripts._switches import switches  # late: every first run loads this file, few need that one

    return switches()
