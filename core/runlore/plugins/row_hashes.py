"""Hashes of the rows of a dataset, beside its fingerprint: they tell the same rows in another order from other rows.

`rows_fingerprint` is the sum of the hashes of all rows modulo 2⁶⁴, whatever their order; in `order_fingerprint` each is
multiplied by an odd number that grows with its place. A row's fields are whole numbers of up to 64 bits: the bytes of
numbers, the CRC-32 of texts. Its hash is their sum, each multiplied by an odd number of its column (multilinear
hashing), mixed by the finaliser of MurmurHash3. Words of 64 bits are folded first: what stands only in their upper
half, such as a one of float32 or the last of eight bytes, would leave most bits of the sum as they are.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Self

MAX_ROWS = 2_000_000  # of a dataset whose rows are hashed: more would make its fingerprint slow
MAX_BYTES = 256 << 20
MAX_TEXTS = 200_000  # values that are no numbers
NULLS = 1 << 31  # added to the place of a column: which of its values are missing
GOLDEN = 0x9E3779B97F4A7C15  # 2⁶⁴ divided by the golden ratio
MIX = (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53)
PIECE_ROWS = 1 << 15


class RowHashes:
    """Takes the fields of all rows, some rows or some columns at a time; false where the rows are not hashed.

    That is so for less than two rows, and beyond the limits above; `texts` is the number of values that are no numbers.
    """

    def __init__(self, rows: int, size: int, texts: int = 0) -> None:
        self._sums: Any = None  # of the fields of each row
        self._added = 0  # rows that were added whole
        self.takes_texts = False  # True for an array of values that are no numbers
        if 1 < rows <= MAX_ROWS and size <= MAX_BYTES and texts <= MAX_TEXTS:
            with suppress(ImportError):  # lists are described without numpy, too
                import numpy

                self._sums = numpy.zeros(rows, numpy.uint64)

    def __bool__(self) -> bool:
        return self._sums is not None

    @classmethod
    def of_array(cls, array: Any, *, skip: bool) -> Self:
        """Return the hashes of the rows of an array; single values, records and long doubles have none."""
        has_rows = array.ndim and array.size and array.dtype.kind != "V" and array.dtype.char not in "gG"
        texts = 0 if _is_whole(array.dtype) else array.size
        found = cls(len(array) if has_rows and not skip else 0, array.nbytes, texts)
        found.takes_texts = bool(found) and texts > 0
        return found

    def add_rows(self, piece: Any, items: int) -> None:
        """Add the next rows with all their fields: contiguous numbers, `items` of them in each row."""
        import numpy

        width = items * piece.itemsize
        unit = next(size for size in (8, 4, 2, 1) if width % size == 0)
        words = numpy.asarray(piece).reshape(-1).view(f"u{unit}").reshape(-1, width // unit)
        end = self._added + len(words)
        self._sums[self._added : end] += _folded(words) @ _first_factors(words.shape[1])
        self._added = end

    def add_columns(self, start: int, values: Any, places: Sequence[int]) -> None:
        """Add columns of numbers of one type for the rows from `start` on: contiguous, a row of `values` for each."""
        import numpy

        if not _is_whole(values.dtype):
            self._sums = None
            return
        unit = min(8, values.itemsize)
        words = numpy.asarray(values).reshape(-1).view(f"u{unit}").reshape(len(values), -1)
        parts = values.itemsize // unit  # two for complex numbers
        factors = _factors([place + part * 2 * NULLS for place in places for part in range(parts)])
        self._sums[start : start + len(words)] += _folded(words) @ factors

    def add_column(self, place: int, hashes: Any) -> None:
        """Add a column by the hashes of all its values, 64 bits each."""
        import numpy

        self._sums += numpy.asarray(hashes, numpy.uint64) * _factors([place])

    def add_nulls(self, place: int, absent: Any) -> None:
        """Add which values of a column are missing."""
        self.add_column(place + NULLS, absent)

    def add_sparse(self, values: Any, places: Any, starts: Any) -> None:
        """Add all rows of a sparse matrix (CSR): its values, their columns, and where each row starts."""
        import numpy

        if not _is_whole(values.dtype) or values.itemsize > 8:
            self._sums = None
            return
        words = _folded(numpy.ascontiguousarray(values).view(f"u{values.itemsize}"))
        hashes = _mixed(words * _factors([0]) + places.astype(numpy.uint64) * _factors([1]))
        sums = numpy.zeros(len(hashes) + 1, numpy.uint64)
        numpy.cumsum(hashes, out=sums[1:])
        self._sums += sums[starts[1:]] - sums[starts[:-1]]

    def add_texts(self, marks: Sequence[int]) -> None:
        """Add all values of a dataset of texts by their marks, row by row; none for one of numbers."""
        import numpy

        if not marks:
            return
        words = numpy.asarray(marks, numpy.uint64).reshape(len(self._sums), -1)
        self._sums += words @ _first_factors(words.shape[1])

    def facts(self) -> dict[str, str]:
        """Return the two fingerprints by name; {} where the rows are not hashed."""
        if not self:
            return {}
        import numpy

        total = order = 0
        for start in range(0, len(self._sums), PIECE_ROWS):
            hashes = _mixed(self._sums[start : start + PIECE_ROWS])
            places = numpy.arange(start, start + len(hashes), dtype=numpy.uint64) * 2 + 1
            total += int(hashes.sum())
            order += int((hashes * places).sum())
        return {"rows_fingerprint": f"{total % 2**64:016x}", "order_fingerprint": f"{order % 2**64:016x}"}


def _is_whole(dtype: Any) -> bool:
    """Return True if the bytes of numpy's type are its value: long doubles have some that are not used."""
    return dtype.kind in "biufcmM" and dtype.char not in "gG"


def _folded(words: Any) -> Any:
    """Return words of 64 bits; full ones with their upper half in the lower one, too, as products carry upwards."""
    import numpy

    return words.astype(numpy.uint64) if words.itemsize < 8 else words ^ (words >> 32)


@lru_cache(64)  # tables of one process have few widths
def _first_factors(count: int) -> Any:
    """Return the numbers of so many first columns; nobody may change them."""
    return _factors(range(count))


def _factors(numbers: Sequence[int] | range) -> Any:
    """Return an odd number for each of some columns."""
    import numpy

    return _mixed((numpy.asarray(numbers, numpy.uint64) + 1) * GOLDEN) | 1


def _mixed(words: Any) -> Any:
    import numpy

    mixed = words ^ (words >> 33)
    for factor in MIX:
        mixed *= numpy.uint64(factor)
        mixed ^= mixed >> 33
    return mixed
