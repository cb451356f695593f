"""What stands in the pages of the documentation."""

import re
from pathlib import Path


def snippets(page: Path) -> list[str]:
    """Return the pieces of Python in a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)
