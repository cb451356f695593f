"""Answers to shells that complete a word."""

import re

from click.shell_completion import BashComplete, CompletionItem

COMPLETE = "_RUNLORE_COMPLETE"  # the variable by which a shell asks
BASH_WORD = re.compile(r"[\w@%+=:,./-]+")  # nothing in it has a meaning to bash


class Bash(BashComplete):
    """Completes in bash, which puts words into the line as they are: leaves out those that it would act upon.

    Zsh and fish quote the words themselves.
    """

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem]:
        """Return the words that continue what was typed."""
        return [item for item in super().get_completions(args, incomplete) if BASH_WORD.fullmatch(item.value)]
