"""Numbers that a program prints in a recurring form, as metrics: only where somebody asks for it.

Nothing is guessed that could be something else: a line counts if it names an epoch or a step, or once another line of
its form has come. docs/no-code.md lists the forms.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from runlore._settings import FALSE, TRUE, setting
from runlore.errors import SettingError
from runlore.index.matching import why_no_pattern
from runlore.plugins.secret_words import is_secret

MAX_LINE_CHARS = 2_000  # of a line that is looked at
MAX_NAMES = 200  # of metrics that one program prints, and of forms of lines that have come once
POSITIONS = ("epoch", "step")
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
OR_NONE = rf"(?:{NUMBER}|[-+]?(?:nan|inf(?:inity)?)(?!\w))"
UNITS = r"(?:[mun]?s|secs?|seconds?|mins?|minutes?|h|hours?|[kmgt]?i?b|[kmgt]?b/s|it/s|hz|px|of)"
END = rf"(?!\s*%\s*\||,\d|\s*/|\s*{UNITS}\b)(?=\s*%|[\s,;|)\]}}'\"]|\.?$|\.\s)"
PARTS = rf"\d+\s*/\s*\d+\s*\(\s*(?P<part>{NUMBER})\s*%\s*\)"  # 9850/10000 (98%)
WORD = r"[A-Za-z][\w/@-]*(?:'s)?\.?"
BEGIN = r"(?<![\w./-])(?<![\w.]['\"])"
PAIR = re.compile(
    rf"{BEGIN}(?P<name>{WORD}(?: {WORD}){{0,2}})['\"]?\s*[:=]\s*(?:{PARTS}|(?P<value>{OR_NONE}){END})", re.I
)
SPLITS = r"(?:train(?:ing)?|val(?:id(?:ation)?)?|test|eval|dev|avg|average|mean|running|total|best)"
KNOWN = (
    r"(?:loss|acc(?:uracy)?|err(?:or)?|lr|learning[ _]rate|ppl|perplexity|auc|f1|precision|recall|mse|mae|rmse|r2|bleu|"
    r"m?iou|psnr|ssim|reward|return|score|norm|kl|elbo|nll|bpc|bpb|wer|cer|dice|top[15]|mfu)"
)
SPACED = re.compile(
    rf"{BEGIN}(?P<name>(?:{SPLITS} ){{0,2}}(?:[A-Za-z]\w*[_/-])?{KNOWN}(?:@\d+)?)\s+(?P<value>{NUMBER}){END}", re.I
)
_AT = r"['\"]?\s*[:=#]?\s*\[?\s*(\d+(?:\.\d+)?)(?!\s*%|[\w:.-]*\w)"
EPOCH = re.compile(rf"(?<![\w.])epoch{_AT}", re.I)
STEP = re.compile(rf"(?<![\w.])(?:global[ _])?(?:step|iter|iteration){_AT}|^\[(\d+)\]\s+(?=[A-Za-z])", re.I)
PLACE = re.compile(r"(?:^|_)(?:epochs?|(?:global_)?steps?|iters?|iterations?|batch(?:es)?)$")
NO_METRIC = re.compile(
    r"(?:.*_)?(?:eta|elapsed|time|seed|pid|port|rank|line|progress|download(?:ing|ed)?|total_params)"
)


class Row(NamedTuple):
    """Numbers of one line, and where it says that they belong."""

    values: dict[str, float]
    step: int | None
    epoch: float | None


class Forms(NamedTuple):
    """The forms that somebody asks for: the known ones, patterns of one's own, or both."""

    known: bool
    patterns: tuple[str, ...]


def wanted_forms(known: bool, patterns: Sequence[str]) -> Forms | None:
    """Return the forms that options ask for, or else RUNLORE_PARSE_OUTPUT; None where nobody asks.

    Raises:
        SettingError: a pattern is no regular expression, or names no group.
    """
    if not known and not patterns:
        value = (setting("parse_output") or "").strip()
        if value.lower() in FALSE:
            return None
        known = value.lower() in TRUE
        patterns = () if known else (value,)
    for pattern in patterns:
        _check(pattern)
    return Forms(known, tuple(patterns))


def _check(pattern: str) -> None:
    why = why_no_pattern(pattern)
    if why is not None:
        raise SettingError(f"output can't be parsed: {why}")
    groups = set(re.compile(pattern).groupindex) - set(POSITIONS)
    if not groups or ("key" in groups) != ("value" in groups):
        form = r"write (?P<loss>\S+) for the metric loss, or (?P<key>\w+)=(?P<value>\S+); step and epoch are its place"
        raise SettingError(f"output can't be parsed: {pattern!r} names no metric: {form}")


class Printed:
    """Finds the numbers in the lines of one stream, each as complete as it is given."""

    def __init__(self, forms: Forms) -> None:
        self._known = forms.known
        self._patterns = [re.compile(pattern) for pattern in forms.patterns]
        self._once: dict[str, Row] = {}  # the first line of a form, by what is left of it without its numbers
        self._recurring: set[str] = set()
        self._steps: dict[str, int] = {}
        self.names: set[str] = set()

    def rows_of(self, line: str) -> Iterator[Row]:
        """Yield what is to be recorded of a line, and before it an earlier one that counts now."""
        line = line.rstrip("\n")
        if len(line) > MAX_LINE_CHARS or not any(map(str.isdigit, line)):
            return
        for pattern in self._patterns:
            for found in pattern.finditer(line):
                yield from self._placed(_of_pattern(found))
        if self._known:
            yield from self._of_known(line)

    def missing(self) -> list[str]:
        """Return what was left out."""
        return [f"numbers of more than {MAX_NAMES} names"] if len(self.names) >= MAX_NAMES else []

    def _of_known(self, line: str) -> Iterator[Row]:
        row = _of_line(line)
        if not row.values:
            return
        if row.epoch is None and row.step is None:
            form = re.sub(NUMBER, "#", line)
            if form not in self._recurring:
                first = self._once.pop(form, None)
                if first is None:
                    if len(self._once) < MAX_NAMES:
                        self._once[form] = row
                    return
                self._recurring.add(form)
                yield from self._placed(first)
        yield from self._placed(row)

    def _placed(self, row: Row) -> Iterator[Row]:
        """Yield a row with a step only where it goes on: one that counts anew in each epoch would replace what was."""
        values = {key: value for key, value in row.values.items() if key in self.names or len(self.names) < MAX_NAMES}
        self.names.update(values)
        if not values:
            return
        last = max((self._steps.get(key, -1) for key in values), default=-1)
        step = row.step if row.step is not None and row.step > last else None
        for key in values:
            self._steps[key] = self._steps.get(key, -1) + 1 if step is None else step
        yield Row(values, step, row.epoch)


def _of_line(line: str) -> Row:
    """Return the numbers of a line in one of the known forms."""
    found = [*PAIR.finditer(line), *SPACED.finditer(line)]
    values: dict[str, float] = {}
    epoch, step = EPOCH.search(line), STEP.search(line)
    end = 0
    for item in sorted(found, key=re.Match.start):
        name = _key(item["name"])
        number = float(item.groupdict().get("part") or item["value"])
        before, end = line[end : item.start()].strip(), item.end()
        if epoch is step is None and before[-1:].isalnum():  # "on the 10000 test images: 55 %" is a sentence
            continue
        if name and not PLACE.search(name) and not NO_METRIC.fullmatch(name) and not is_secret(name, number):
            values.setdefault(name, number)
    at = None if step is None else int(float(step[1] or step[2]))
    return Row(values, at, None if epoch is None else float(epoch[1]))


def _of_pattern(found: "re.Match[str]") -> Row:
    """Return the numbers of a pattern's named groups; what is no number is left out."""
    texts: Mapping[str, str | None] = found.groupdict()
    numbers = {name: number for name, text in texts.items() if (number := _number(text)) is not None}
    step, epoch = numbers.pop("step", None), numbers.pop("epoch", None)
    key, value = texts.get("key"), numbers.pop("value", None)
    if key is not None and value is not None:
        numbers = {**{name: number for name, number in numbers.items() if name != "key"}, key: value}
    return Row(numbers, None if step is None else int(step), epoch)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text.strip().removesuffix("%"))
    except ValueError:
        return None


def _key(name: str) -> str:
    """Return the key of a metric by its printed name: "Val. Loss" is val_loss."""
    return re.sub(r"[^\w/@]+", "_", name.replace("'s", "").lower()).strip("_")
