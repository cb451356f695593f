"""Programs that `runlore run` starts, recorded as they are."""
