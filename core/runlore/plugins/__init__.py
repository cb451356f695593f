"""The plugin manager, and the plugins that come with runlore."""
