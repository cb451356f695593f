"""The built-in plugin that describes datasets: arrays, tables, sparse matrices, lists, files.

A fingerprint is the sha256 of shape, types and content. Rows are hashed in order, so it doesn't depend on the layout in
memory. Of more than a gigabyte only evenly spaced rows are hashed. Beside it stand hashes that tell the same rows in
another order from other rows: see `row_hashes`.
"""

import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runlore.artifacts.events import hashed
from runlore.hookspecs import DataDescription, hookimpl

if TYPE_CHECKING:
    from runlore.plugins.row_hashes import RowHashes

MAX_HASHED_BYTES = 1 << 30  # of a dataset that is hashed in full
SAMPLE_BYTES = 64 << 20  # that are hashed of a larger one
SAMPLE_BLOCKS = 256
PIECE_BYTES = 1 << 20  # that are hashed at once; they fit into the processor's cache
NUMERIC_KINDS = "biufcmMV"  # of numpy's types: their bytes are the values
INEXACT_FROM = float(1 << 53)  # a float from here on may be a rounded whole number
DLPACK_CPU = 1  # DLPack's number for this kind of device (kDLCPU)
MAX_DEPTH = 6  # of nested lists whose content is hashed


@hookimpl
def runlore_describe_data(data: Any) -> DataDescription | None:
    """Describe data of numpy, pandas, polars and scipy.sparse, tensors, lists and paths; leave others to plugins."""
    kind = f"{type(data).__module__.partition('.')[0]}.{type(data).__name__}"
    if isinstance(data, list | tuple):
        return _describe_list(data)
    if isinstance(data, Path):
        return _describe_path(data) if data.exists() else None
    for module, classes, describe in _DESCRIBERS:
        library = sys.modules.get(module)
        if library is not None and isinstance(data, tuple(getattr(library, name) for name in classes)):
            return describe(data, kind)
    sparse = sys.modules.get("scipy.sparse")
    if sparse is not None and sparse.issparse(data):
        return _describe_sparse(data, kind)
    return _describe_tensor(data, kind) if hasattr(data, "__dlpack_device__") else None


# numpy


def _describe_array(array: Any, kind: str) -> DataDescription:
    import numpy

    digest = _digest("array", str(array.dtype), array.shape)
    sampled = array.nbytes > MAX_HASHED_BYTES
    missing = 0
    masked = isinstance(array, numpy.ma.MaskedArray)
    if masked:
        for piece in _pieces(numpy.ma.getmaskarray(array), sampled):
            _hash_piece(digest, piece)
    rows = _row_hashes().of_array(array, skip=sampled or masked)
    marks: list[int] | None = [] if rows.takes_texts else None
    items = array.size // len(array) if rows else 0
    for piece in _pieces(array, sampled, items if marks is None else 0):
        missing += _hash_piece(digest, piece, marks)
        if rows and marks is None:
            rows.add_rows(piece, items)
    rows.add_texts(marks or ())
    names = list(array.dtype.names) if array.dtype.names else None
    return DataDescription(
        kind=kind, shape=tuple(array.shape), dtypes=str(array.dtype), columns=names,
        missing=None if sampled else missing, size_bytes=int(array.nbytes),
        fingerprint=digest.hexdigest(), sampled=sampled, more=rows.facts(),
    )  # fmt: skip


def _describe_tensor(tensor: Any, kind: str) -> DataDescription:
    """Describe a tensor of any library that supports DLPack. One on a GPU is not copied: it has no fingerprint."""
    import numpy

    plain = tensor.detach() if hasattr(tensor, "detach") else tensor  # a tensor with a gradient refuses to be exported
    try:
        if plain.__dlpack_device__()[0] == DLPACK_CPU:
            return _describe_array(numpy.from_dlpack(plain), kind)
    except (BufferError, RuntimeError, TypeError, ValueError):  # sparse, quantised, of a type that numpy lacks
        pass
    dtype = str(tensor.dtype).rpartition(".")[2]
    return DataDescription(kind=kind, shape=tuple(int(size) for size in tensor.shape), dtypes=dtype)


def _pieces(array: Any, sampled: bool, items: int = 0) -> Iterator[Any]:
    """Yield contiguous pieces of an array in the order of its rows: all of it, or evenly spaced ones.

    With `items`, the number of values in a row, no row is divided.
    """
    import numpy

    rows = array.reshape(-1) if array.flags.c_contiguous else numpy.atleast_1d(array)
    if not rows.size:
        return
    row_bytes = max(1, rows.nbytes // len(rows))
    if sampled:
        length = max(1, SAMPLE_BYTES // SAMPLE_BLOCKS // row_bytes)
        starts = numpy.unique(numpy.linspace(0, len(rows) - min(length, len(rows)), SAMPLE_BLOCKS).astype(int)).tolist()
    else:
        length = max(1, PIECE_BYTES // row_bytes)
        if items and rows.ndim == 1:
            length = max(items, length - length % items)
        starts = range(0, len(rows), length)
    for start in starts:
        yield numpy.ascontiguousarray(rows[start : start + length])


def _hash_piece(digest: Any, piece: Any, marks: list[int] | None = None) -> int:
    """Hash contiguous values; return the number of missing ones. Those that are no numbers are marked in `marks`."""
    import numpy

    if piece.dtype.names:  # field by field, as the bytes between them are undefined
        return sum(_hash_piece(digest, numpy.ascontiguousarray(piece[name])) for name in piece.dtype.names)
    if piece.dtype.kind not in NUMERIC_KINDS or piece.dtype.hasobject:
        return _hash_objects(digest, piece.reshape(-1).tolist(), marks)
    if piece.dtype.char in "gG":  # long doubles have unused bytes: hash them as the sum of two doubles
        rough = piece.astype(numpy.float64 if piece.dtype.char == "g" else numpy.complex128)
        digest.update(numpy.ascontiguousarray((piece - rough).astype(rough.dtype)).reshape(-1).view(numpy.uint8))
        piece = rough
    digest.update(numpy.asarray(piece).reshape(-1).view(numpy.uint8))
    if piece.dtype.kind in "fc":
        return int(numpy.count_nonzero(numpy.isnan(piece)))
    return int(numpy.count_nonzero(numpy.isnat(piece))) if piece.dtype.kind in "mM" else 0


def _hash_objects(digest: Any, values: Iterable[Any], marks: list[int] | None = None) -> int:
    """Hash any values by type and content; return the number of None and NaN, and add a mark of each to `marks`."""
    missing = 0
    parts: list[str] = []

    def flush() -> None:
        if marks is None:
            digest.update("\0".join(parts).encode("utf-8", "surrogatepass"))
        else:
            encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
            digest.update(b"\0".join(encoded))
            marks.extend(map(zlib.crc32, encoded))
        parts.clear()

    for value in values:
        missing += value is None or (isinstance(value, float) and value != value)
        text = value if type(value) is str else _text_of(value, MAX_DEPTH)
        parts.append(f"{type(value).__name__} {len(text)} {text}")
        if len(parts) == 10_000:
            flush()
    flush()
    return missing


def _text_of(value: Any, depth: int) -> str:
    """Return a text of the whole value, to be hashed; repr would shorten an array."""
    if depth == 0 or isinstance(value, str | int | float | bool | bytes | None):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({','.join(_text_of(item, depth - 1) for item in value)})"
    if isinstance(value, dict):
        pairs = (f"{_text_of(key, depth - 1)}:{_text_of(item, depth - 1)}" for key, item in value.items())
        return f"dict({','.join(pairs)})"
    found = runlore_describe_data(value)
    if found is None and hasattr(value, "__array__"):
        import numpy

        found = runlore_describe_data(numpy.asarray(value.detach() if hasattr(value, "detach") else value))
    return str(found.fingerprint) if found is not None else re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


# Tables


def _describe_pandas(data: Any, kind: str) -> DataDescription:
    frame = data.to_frame() if data.ndim == 1 else data
    size = int(frame.memory_usage(index=False).sum())
    sampled = size > MAX_HASHED_BYTES
    part = frame.iloc[_sample_rows(len(frame), size)] if sampled else frame
    names = [str(name) for name in frame.columns]
    dtypes = [str(dtype) for dtype in frame.dtypes]
    digest = _digest("table", dtypes, (len(frame), *names))
    missing = 0
    types = list(part.dtypes)
    numeric = [place for place, dtype in enumerate(types) if _is_numeric(dtype)]
    rows = _row_hashes()(0 if sampled else len(frame), size, len(frame) * dtypes.count("object"))
    for dtype in dict.fromkeys(types[place] for place in numeric):
        missing += _hash_alike(digest, part, [place for place in numeric if types[place] == dtype], rows)
    for place in sorted(set(range(part.shape[1])).difference(numeric)):
        missing += _hash_column(digest, part.iloc[:, place], rows, place)
    _hash_index(digest, part.index)
    return DataDescription(
        kind=kind, shape=tuple(data.shape), dtypes=_dtypes(dtypes), columns=names, more=rows.facts(),
        missing=None if sampled else missing, size_bytes=size, fingerprint=digest.hexdigest(), sampled=sampled,
    )  # fmt: skip


def _is_numeric(dtype: Any) -> bool:
    import numpy

    return isinstance(dtype, numpy.dtype) and dtype.kind in NUMERIC_KINDS


def _hash_alike(digest: Any, frame: Any, places: list[int], hashes: "RowHashes") -> int:
    """Hash columns of one type together, some rows at a time; return the number of missing values.

    One by one, thousands of columns would take seconds.
    """
    import numpy

    whole = len(places) == frame.shape[1]
    dtype = frame.dtypes.iloc[places[0]]
    length = max(1, PIECE_BYTES // max(1, dtype.itemsize * len(places)))
    missing = 0
    for start in range(0, len(frame), length):
        rows = frame.iloc[start : start + length]
        values = numpy.ascontiguousarray((rows if whole else rows.iloc[:, places]).to_numpy())
        missing += sum(_hash_piece(digest, piece) for piece in _pieces(values, False))
        if hashes:
            hashes.add_columns(start, values, places)
    return missing


def _hash_column(digest: Any, column: Any, rows: "RowHashes | None" = None, place: int = 0) -> int:
    """Hash a column that holds no numbers of numpy's, also into the hashes of the rows; return its missing values."""
    import numpy
    import pandas

    marks: list[int] | None = [] if rows else None
    hashes: Any = marks
    if isinstance(column.dtype, numpy.dtype):
        values = column.to_numpy()
        missing = sum(_hash_piece(digest, piece, marks) for piece in _pieces(values, False))
    elif isinstance(column.dtype, pandas.CategoricalDtype):
        _hash_objects(digest, column.cat.categories.tolist(), marks)
        codes = numpy.ascontiguousarray(column.cat.codes.to_numpy())
        _hash_piece(digest, codes)
        missing = int((codes == -1).sum())
        hashes = numpy.array([*(marks or []), 0], numpy.uint64)[codes] if rows else None  # 0 for the missing ones
    else:
        missing = int(column.isna().sum())
        try:
            hashes = numpy.ascontiguousarray(pandas.util.hash_pandas_object(column, index=False, categorize=False))
            _hash_piece(digest, hashes)
        except Exception:  # values that can't be hashed: each library has its own exception
            _hash_objects(digest, column.tolist(), marks)
            hashes = marks
    if rows:
        rows.add_column(place, hashes)
    return missing


def _hash_index(digest: Any, index: Any) -> None:
    if type(index).__name__ == "RangeIndex":
        digest.update(f"{index.start} {index.step}".encode())
    else:
        _hash_column(digest, index.to_frame().iloc[:, 0] if index.nlevels == 1 else index.to_series().astype(str))


def _describe_polars(data: Any, kind: str) -> DataDescription:
    frame = data if hasattr(data, "columns") else data.to_frame()
    size = int(frame.estimated_size())
    sampled = size > MAX_HASHED_BYTES
    part = frame[_sample_rows(frame.height, size)] if sampled else frame
    dtypes = [str(dtype) for dtype in frame.dtypes]
    digest = _digest("table", dtypes, (frame.height, *frame.columns))
    missing = 0
    texts = sum(not item.is_numeric() for item in frame.dtypes)
    rows = _row_hashes()(0 if sampled else frame.height, size, frame.height * texts)
    for place, column in enumerate(part.iter_columns()):
        nulls = column.null_count()
        missing += nulls
        if nulls:
            absent = column.is_null().to_numpy()
            _hash_piece(digest, absent)
            if rows:
                rows.add_nulls(place, absent)
        numbers = _numbers_of(column)
        marks: list[int] | None = [] if rows and numbers is None else None
        if numbers is None:
            _hash_objects(digest, column.to_list(), marks)
        else:
            missing += _hash_piece(digest, numbers)
        if marks is not None:
            rows.add_column(place, marks)
        elif rows:
            rows.add_columns(0, numbers.reshape(-1, 1), [place])
    return DataDescription(
        kind=kind, shape=tuple(data.shape), dtypes=_dtypes(dtypes), columns=list(frame.columns), more=rows.facts(),
        missing=None if sampled else missing, size_bytes=size, fingerprint=digest.hexdigest(), sampled=sampled,
    )  # fmt: skip


def _numbers_of(column: Any) -> Any:
    """Return a numeric column of polars as an array; None for any other."""
    if not column.dtype.is_numeric() or column.dtype.is_decimal():
        return None
    try:
        values = column.fill_null(0).to_numpy().copy()
    except Exception:  # numbers for which numpy has no type
        return None
    return values if values.dtype.kind in NUMERIC_KINDS else None


def _sample_rows(rows: int, size: int) -> Any:
    import numpy

    count = max(1, min(rows, SAMPLE_BYTES * rows // size))
    return numpy.unique(numpy.linspace(0, rows - 1, count).astype(int))


def _dtypes(dtypes: list[str]) -> str | list[str]:
    return dtypes[0] if len(set(dtypes)) == 1 else dtypes


# Files, sparse matrices, lists


def _describe_path(path: Path) -> DataDescription:
    """Describe a file or a folder; its fingerprint is the sha256 by which `which-run` finds it."""
    members = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    # A file has neither shape nor types.
    facts = {"path": str(path), "shape": None, "dtypes": None, **({"files": len(members)} if path.is_dir() else {})}
    size = sum(item.stat().st_size for item in members)
    kind = "folder" if path.is_dir() else "file"
    return DataDescription(kind, (), [], size_bytes=size, fingerprint=str(hashed(path)["sha256"]), more=facts)


def _describe_sparse(data: Any, kind: str) -> DataDescription:
    import numpy

    rows = data.tocsr() if data.ndim == 2 else data.tocoo().reshape(1, -1).tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    digest = _digest("sparse", rows.dtype.str, data.shape)
    size = int(rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes)
    sampled = size > MAX_HASHED_BYTES
    missing = 0
    for part in (rows.data, rows.indices.astype(numpy.int64, copy=False), rows.indptr.astype(numpy.int64, copy=False)):
        for piece in _pieces(part, sampled):
            missing += _hash_piece(digest, piece)
    hashes = _row_hashes()(0 if sampled else len(rows.indptr) - 1, max(size, 16 * rows.nnz))
    if hashes:
        hashes.add_sparse(rows.data, rows.indices, rows.indptr)
    return DataDescription(
        kind=kind, shape=tuple(data.shape), dtypes=str(data.dtype), missing=None if sampled else missing,
        size_bytes=size, fingerprint=digest.hexdigest(), sampled=sampled,
        more={"nonzero": int(rows.nnz), **hashes.facts()},
    )  # fmt: skip


def _describe_list(data: "list[Any] | tuple[Any, ...]") -> DataDescription:
    kind = type(data).__name__
    array = _as_numbers(data)
    if array is not None:
        found = _describe_array(array, kind)
        return DataDescription(
            kind=kind, shape=found.shape, dtypes=found.dtypes, missing=found.missing, fingerprint=found.fingerprint,
            sampled=found.sampled, more=found.more,
        )  # fmt: skip
    digest = _digest("list", "object", (len(data),))
    rows = _row_hashes()(len(data), 0, len(data))
    marks: list[int] | None = [] if rows else None
    missing = _hash_objects(digest, data, marks)
    rows.add_texts(marks or ())
    types = sorted({type(item).__name__ for item in data})
    return DataDescription(
        kind=kind, shape=(len(data),), dtypes=types[0] if len(types) == 1 else types or "object", missing=missing,
        fingerprint=digest.hexdigest(), more=rows.facts(),
    )  # fmt: skip


def _as_numbers(data: Any) -> Any:
    """Return a regular list of numbers as an array; None for any other list."""
    try:
        import numpy
    except ImportError:  # recording needs only the standard library
        return None
    first = data
    for _ in range(MAX_DEPTH):
        first = first[0] if isinstance(first, list | tuple) and first else first
    if not isinstance(first, int | float | numpy.number | numpy.ndarray):
        return None
    try:
        array = numpy.asarray(data)
    except (ValueError, OverflowError):  # rows of different lengths, huge numbers
        return None
    if array.dtype.kind not in "biufc" or (array.dtype.kind == "f" and _is_rounded(array)):
        return None
    return array


def _is_rounded(array: Any) -> bool:
    """Return True if whole numbers among the values may have lost digits when they became floats."""
    import numpy

    with numpy.errstate(all="ignore"):
        return bool((numpy.abs(array) >= INEXACT_FROM).any())


def _row_hashes() -> "type[RowHashes]":
    from runlore.plugins.row_hashes import RowHashes  # only those who describe data wait for it

    return RowHashes


def _digest(kind: str, dtypes: Any, shape: Any) -> Any:
    import hashlib  # which loads OpenSSL

    return hashlib.sha256(repr((kind, dtypes, tuple(shape))).encode("utf-8", "surrogatepass"))


_DESCRIBERS: tuple[tuple[str, tuple[str, ...], Callable[[Any, str], DataDescription]], ...] = (
    ("numpy", ("ndarray",), _describe_array),
    ("pandas", ("DataFrame", "Series"), _describe_pandas),
    ("polars", ("DataFrame", "Series"), _describe_polars),
)
