"""The training set of a model: outcomes joined to the features of chosen month-ends, split, counted and digested."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from jobs import frames, tables, tracking
from jobs.errors import GateError
from jobs.models import boosting, snapshots, used
from jobs.models.catalogue import Kind
from jobs.models.gate import told_positives
from jobs.models.training import ACTUAL, UNSEEN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import pandas as pd
    from pyspark.sql import DataFrame

    from jobs.context import JobContext
    from jobs.models.catalogue import Model
    from jobs.models.snapshots import Snapshots

KEYS = ["customer_key", "as_of_date"]
SPLIT = "split"
# One customer in five is never trained or calibrated on: the test tells how the model does for them.
UNSEEN_ONE_IN = 5


@dataclass(frozen=True, kw_only=True)
class Material:
    """Labelled features of one training, kept in Spark until `release`.

    frame: customer × as_of_date with features, ACTUAL, UNSEEN and SPLIT. scale: unit of the target's signed logarithm.
    """

    model: Model
    snapshots: Snapshots
    features: tuple[str, ...]
    frame: DataFrame
    scale: float
    counts: Mapping[str, Mapping[str, int]]
    data_sets: tuple[tracking.DataSet, ...]

    @cached_property
    def receipt(self) -> str:
        """Digest of the whole training set: what was drawn, for whom, with which outcome."""
        return digest_of([asdict(data) for data in self.data_sets])

    @property
    def training(self) -> DataFrame:
        """The rows to fit trees on, with the target they are fitted to."""
        from pyspark.sql import functions as F

        outcome = F.col(ACTUAL)
        target = outcome if self.model.kind is Kind.CHANCE else F.asinh(outcome / F.lit(self.scale))
        return self.frame.where(f"{SPLIT} = 'train'").withColumn(boosting.TARGET, target)

    def release(self) -> None:
        frames.release(self.frame)

    def pandas(self, split: str) -> pd.DataFrame:
        """One split in key order, so that equal rows give equal models."""
        rows = self.frame.where(f"{SPLIT} = '{split}'").toPandas()
        return rows.sort_values(KEYS, ignore_index=True)


def digest_of(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def draw(context: JobContext, wanted: Model) -> Material:
    """Choose snapshots and join their features to their outcomes. Raises GateError with the counts when there are too few months."""
    from pyspark.sql import functions as F

    features = used.usable(wanted)
    labels = _outcomes(context, wanted)
    chosen = _snapshots(context, wanted, labels)
    joined = _joined(context, wanted, chosen, labels, features)
    # An unseen customer's training and calibration months are left out, the test months kept.
    frame = frames.made(joined.where((F.col(SPLIT) == "test") | ~F.col(UNSEEN)))
    counts, data_sets = _counted(frame)
    return Material(
        model=wanted, snapshots=chosen, features=features, frame=frame, scale=_scale(wanted, frame), counts=counts, data_sets=data_sets
    )


def _outcomes(context: JobContext, wanted: Model) -> DataFrame:
    """Customer × as_of_date: ACTUAL of eligible, uncensored rows; money in units of the base currency."""
    from pyspark.sql import functions as F

    from features.finish import MINOR_PER_UNIT

    unit = 1 if wanted.kind is Kind.CHANCE else MINOR_PER_UNIT
    labels = tables.read(context, used.label_of(wanted).table).where("is_eligible and not is_censored and label is not null")
    return labels.select(*KEYS, (F.col("label") / F.lit(unit)).cast("double").alias(ACTUAL))


def _snapshots(context: JobContext, wanted: Model, labels: DataFrame) -> Snapshots:
    """Chosen among dates that have both outcomes and features."""
    from features.catalogue import group_of
    from jobs.build.wide import built_dates

    sizes = context.settings.models
    labelled = [row["as_of_date"] for row in labels.select("as_of_date").distinct().collect()]
    built = built_dates(context, group_of(wanted.baseline), labelled) if labelled else ()
    chosen = partial(snapshots.choose, built, until=context.as_of, train=sizes.snapshots_train, calibrate=sizes.snapshots_calibrate)
    own = used.label_of(wanted).horizon_days
    if sizes.outcome_days_at_least > own:
        # Where the history is too short for that, the model's own outcome says what months there are.
        with suppress(GateError):
            return chosen(horizon_days=sizes.outcome_days_at_least)
    return chosen(horizon_days=own)


def _joined(context: JobContext, wanted: Model, chosen: Snapshots, labels: DataFrame, features: tuple[str, ...]) -> DataFrame:
    """Customer × as_of_date of the chosen dates with an outcome; features as doubles, UNSEEN, SPLIT."""
    from pyspark.sql import functions as F

    from jobs.build.wide import wide_features

    names = sorted({*features, wanted.baseline})
    wide = wide_features(context, chosen.dates, names=names, purpose=wanted.purpose)
    salted = F.xxhash64("customer_key", F.lit(context.settings.models.seed))
    return wide.join(labels, on=KEYS, how="inner").select(
        *KEYS, *(F.col(name).cast("double").alias(name) for name in names), ACTUAL,
        (F.pmod(salted, F.lit(UNSEEN_ONE_IN)) == 0).alias(UNSEEN), _split(chosen).alias(SPLIT),
    )  # fmt: skip


def _split(chosen: Snapshots) -> Any:
    from pyspark.sql import functions as F

    def among(days: tuple[date, ...]) -> Any:
        return F.col("as_of_date").isin(*days)

    return F.when(among(chosen.train), "train").when(among(chosen.calibrate), "calibrate").otherwise("test")


def _scale(wanted: Model, frame: DataFrame) -> float:
    """Middle size of the training outcomes that are not zero; 1 for a chance, which is fitted as it is."""
    from pyspark.sql import functions as F

    if wanted.kind is Kind.CHANCE:
        return 1.0
    size = F.abs(F.when((F.col(SPLIT) == "train") & (F.col(ACTUAL) != 0), F.col(ACTUAL)))
    middle = frame.agg(F.median(size).alias("scale")).first()
    return float(middle["scale"]) if middle and middle["scale"] else 1.0


def _counted(frame: DataFrame) -> tuple[dict[str, dict[str, int]], tuple[tracking.DataSet, ...]]:
    """Rows, positive outcomes and content digest of each split, in one pass."""
    from pyspark.sql import functions as F

    digest = F.sum(tables.content_hash(frame.columns).cast("decimal(38,0)"))
    found = frame.groupBy(SPLIT).agg(
        F.count(F.lit(1)).alias("rows"), F.count_if(F.col(ACTUAL) > 0).alias("positives"), digest.alias("digest"),
        F.min("as_of_date").alias("since"), F.max("as_of_date").alias("until"),
    ).collect()  # fmt: skip
    rows = sorted(found, key=lambda row: row["since"])
    counts = {row[SPLIT]: {"rows": row["rows"], "positives": row["positives"]} for row in rows}
    data_sets = tuple(
        tracking.DataSet(
            name=row[SPLIT],
            digest=digest_of([row["digest"], row["rows"]]),
            rows=row["rows"],
            since=str(row["since"]),
            until=str(row["until"]),
        )
        for row in rows
    )
    return counts, data_sets


def keep(context: JobContext, material: Material) -> str:
    """Leave a receipt from which FeatureStore.draw_again gives the set again: customers, dates, outcomes and splits, with the features as stored.

    Returns its number, the same for the same set. Raises DataRejectedError, ConfigurationError where it can't be written.
    """
    from conf import sources
    from features.catalogue import groups_of
    from jobs.build.wide import known_at
    from jobs.serving import spines, training

    names = tuple(sorted({*material.features, material.model.baseline}))
    rows = material.frame.select(*KEYS, ACTUAL, UNSEEN, SPLIT).toArrow().sort_by([(key, "ascending") for key in KEYS])
    spine = spines.taken(rows, sources.load(context.settings.source.mapping), reserved={*names, training.FEATURES_OF})
    wish = training.Wish(
        names=names, groups=groups_of(names), purpose=material.model.purpose, max_age_days=0,
        known_at=known_at(context, names, material.snapshots.dates), may_compute=False,
    )  # fmt: skip
    drawn = training.draw(context.settings, spine, wish)
    training.keep(context.settings, spine, drawn)
    return drawn.receipt.receipt


def expect_enough(material: Material, *, least: int) -> None:
    """Raises GateError with the counts: too few positives to train, or a split in which everything is the same."""
    wanted, counts = material.model, material.counts
    short = counts.get("train", {"positives": 0})["positives"] < least
    splits = [counts.get(name, {"rows": 0, "positives": 0}) for name in ("train", "calibrate", "test")]
    uniform = [found for found in splits if not found["positives"] or (wanted.kind is Kind.CHANCE and found["positives"] == found["rows"])]
    if short or uniform:
        raise GateError(
            f"Too few positive outcomes of [{wanted.label}] to train [{wanted.name}]: {told_positives(counts)}; at least [{least}] are needed to train and both "
            f"outcomes to calibrate and test. The chain goes on without this model; train again with more customers or months"
        )
