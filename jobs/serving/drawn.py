"""What the feature store gives: rows, in the form in which they are wanted."""

from __future__ import annotations

import shutil
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place beside the path to write a file or a folder to; it takes the path when all is written. Nobody ever meets half of it.

    Raises ConfigurationError where it can't be written.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError(f"[{path}] can't be written: {error}; look for its folder's rights and room") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):
            draft.unlink()


@dataclass(frozen=True)
class Drawn:
    """Rows in this process."""

    arrow: pa.Table

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def pandas(self) -> pd.DataFrame:
        found: pd.DataFrame = self.arrow.to_pandas()
        return found

    def polars(self) -> pl.DataFrame:
        """Raises ConfigurationError where Polars is not installed: nothing else needs it."""
        try:
            import polars as pl
        except ModuleNotFoundError as error:
            raise ConfigurationError("Polars is not installed here; `uv pip install polars`, or take .pandas() or .arrow") from error
        return pl.DataFrame(self.arrow)

    def spark(self, session: SparkSession) -> DataFrame:
        return session.createDataFrame(self.arrow)

    def write_parquet(self, path: Path | str) -> None:
        """One file, whole or not at all. Raises ConfigurationError where it can't be written."""
        import pyarrow.parquet as pq

        with whole(Path(path)) as draft:
            pq.write_table(self.arrow, draft, compression="zstd")

    def write_delta(self, path: Path | str) -> None:
        """A Delta table of these rows, whole or not at all. Raises ConfigurationError where it can't be written, or something is there."""
        from deltalake import write_deltalake

        with whole(Path(path)) as draft:
            write_deltalake(draft, self.arrow, mode="error")
