"""runlore for what a script does beside training: figures, files, data; each library is a switch of `autolog`."""
