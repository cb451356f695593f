"""Tables that pandas and polars write and read."""

from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import follow_all, reads, writes

PANDAS_READS = "csv table fwf excel json parquet feather pickle hdf orc stata sas spss xml".split()
PANDAS_WRITES = "csv excel json parquet feather pickle hdf orc stata xml html latex markdown string".split()
PANDAS_SOURCES = ("filepath_or_buffer", "path_or_buf", "path_or_buffer", "io", "path")
PANDAS_TARGETS = ("path_or_buf", "path_or_buffer", "excel_writer", "path", "buf")
POLARS = "csv parquet json ndjson ipc avro excel delta".split()


def follow_pandas(wrappers: Wrappers) -> None:
    """Follow `read_…` and the methods `to_…` of data frames; those of series are the same or alike."""
    import pandas

    names = [f"read_{form}" for form in PANDAS_READS]
    follow_all(wrappers, pandas, names, lambda name: reads(f"pandas.{name}", 0, *PANDAS_SOURCES))
    names = [f"to_{form}" for form in PANDAS_WRITES]
    follow_all(wrappers, pandas.DataFrame, names, lambda name: writes("data", 1, *PANDAS_TARGETS))


def follow_polars(wrappers: Wrappers) -> None:
    """Follow `read_…`, `scan_…`, `write_…` and `sink_…`."""
    import polars

    names = [f"{verb}_{form}" for form in POLARS for verb in ("read", "scan")]
    follow_all(wrappers, polars, names, lambda name: reads(f"polars.{name}", 0, "source"))
    targets = ("file", "workbook", "target", "path")
    written = [f"write_{form}" for form in POLARS]
    follow_all(wrappers, polars.DataFrame, written, lambda name: writes("data", 1, *targets))
    sunk = [f"sink_{form}" for form in POLARS]
    follow_all(wrappers, polars.LazyFrame, sunk, lambda name: writes("data", 1, *targets))
