"""One Spark session for the whole test run, and a context on a fresh folder per test."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import hypothesis
import pytest
from pyspark.sql import SparkSession

from conf import settings as conf
from conf.settings import Settings
from jobs.context import JobContext
from tests.fixtures.context import context_of
from tests.fixtures.examples import IS_MANY, examples

os.environ["KEQUN_ENV"] = "ci"
hypothesis.settings.register_profile("kequn", examples(10, 2000))
hypothesis.settings.load_profile("kequn")
# Plans as everywhere but in CI: compiled (conf/env/ci.yml).
COMPILED = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}
SHARED = Path(__file__).parents[1].parent / "shared"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    from jobs import session

    # It says goodbye when Python ends, which comes after the summary; by then what tests logged to is closed.
    logging.getLogger("py4j").setLevel(logging.WARNING)
    settings = conf.load("ci", variables={"KEQUN_HOME": str(tmp_path_factory.mktemp("session"))})
    built = session.build(settings, name="tests", more=COMPILED if IS_MANY else None)
    yield built
    gateway = built.sparkContext._gateway  # the only way to the process: ended here, it is not warned of after the summary
    built.stop()
    assert gateway is not None
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=120)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return conf.load("ci", variables={"KEQUN_HOME": str(tmp_path)})


@pytest.fixture
def context_for(spark: SparkSession, settings: Settings) -> Callable[..., JobContext]:
    """Makes a context as the runner would: job, since, until, scope, generation."""
    return partial(context_of, spark, settings)


@pytest.fixture
def context(context_for: Callable[..., JobContext]) -> JobContext:
    return context_for()


@pytest.fixture
def berka() -> Path:
    """The public Berka files, where they are; the product never needs them."""
    folder = SHARED / "data" / "berka"
    if not folder.exists():
        pytest.skip("the Berka files are not beside this checkout")
    return folder
