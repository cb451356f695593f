"""The part of docs/api.md that is generated: `python -m tests.docs.api_page` writes it."""

from pathlib import Path

from runlore.ui.app import ENDPOINTS
from runlore.ui.endpoints import Endpoint, Parameter

PAGE = Path(__file__).parent.parent.parent / "docs" / "api.md"
MARK = "<!-- generated from the endpoints: python -m tests.docs.api_page -->"


def told(parameter: Parameter) -> str:
    facts = [{"texts": "text, repeated", "whole": "whole number"}.get(parameter.kind, parameter.kind)]
    facts += ["required"] if parameter.required else []
    facts += [f"one of {', '.join(parameter.choices)}"] if parameter.choices else []
    facts += [f"default {parameter.default}"] if parameter.default not in (None, "", [], False) else []
    if parameter.most < 1 << 40:
        facts.append(f"at most {parameter.most:,}")
    return f"* `{parameter.name}` ({', '.join(facts)}): {parameter.about}"


def section(endpoint: Endpoint) -> str:
    lines = [f"### `{endpoint.method} {endpoint.path}`", "", f"{endpoint.about}.", *map(told, endpoint.parameters)]
    if endpoint.parameters:
        lines.insert(3, "")
    return "\n".join(lines)


def generated() -> str:
    return "\n\n".join([MARK, *map(section, ENDPOINTS)]) + "\n"


def main() -> None:
    head = PAGE.read_text().partition(MARK)[0]
    PAGE.write_text(head + generated())


if __name__ == "__main__":
    main()
