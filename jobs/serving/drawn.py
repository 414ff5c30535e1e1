"""What the feature store gives: rows, in the form in which they are wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession


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
        import pyarrow.parquet as pq

        pq.write_table(self.arrow, path, compression="zstd")

    def write_delta(self, path: Path | str) -> None:
        """A Delta table of these rows. Raises DeltaError where there is one already."""
        from deltalake import write_deltalake

        write_deltalake(path, self.arrow, mode="error")
