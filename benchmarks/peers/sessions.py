"""What is asked of a Spark session by whoever measures it: ours and those of other engines, which import this beside them."""

from __future__ import annotations

import time
from typing import Any

# The JVM gives memory back within this time of a collection.
SETTLED_S = 1.0


def settle(spark: Any) -> None:
    """What earlier runs left in the heap is given back, so that it is not taken for memory of the next."""
    spark._jvm.System.gc()  # noqa: SLF001 no other door
    time.sleep(SETTLED_S)


def shuffled(spark: Any) -> int:
    """Bytes that went through shuffles so far."""
    context = spark.sparkContext._jsc.sc()  # noqa: SLF001 no other door
    context.listenerBus().waitUntilEmpty()
    executors = context.statusStore().executorList(False)
    return sum(executors.apply(nth).totalShuffleWrite() for nth in range(executors.length()))
