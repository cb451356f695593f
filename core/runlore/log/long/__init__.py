"""What keeps long logs cheap; short ones load none of it."""
