"""What comes before what, by reachability: inside a DAG along its tasks, between DAGs along the assets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobs.scheduling import chain

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag


def reaches(bag: DagBag, dag_id: str, first: str, last: str) -> bool:
    dag = bag.dags[dag_id]
    return last in {task.task_id for task in dag.get_task(first).get_flat_relatives(upstream=False)}


@pytest.mark.parametrize("dag_id", ["kequn_ingest", "kequn_history"])
@pytest.mark.parametrize("group", ["channel", "transactions", "credit"])
def test_reference_data_comes_first_and_the_seal_last(bag: DagBag, dag_id: str, group: str) -> None:
    assert reaches(bag, dag_id, "reference.ingest", f"{group}.ingest")
    assert reaches(bag, dag_id, f"{group}.ingest", "seal")


@pytest.mark.parametrize(
    ("dag_id", "first", "last"),
    [
        ("kequn_history", "seal", "features"),
        ("kequn_history", "features", "segments"),
        ("kequn_history", "seal", "labels"),
        ("kequn_scores", "segments", "scored"),
        ("kequn_scores", "churn", "scored"),
        ("kequn_scores", "value", "scored"),
        ("kequn_marts", "publish", "report"),
        ("kequn_models", "labels", "train_churn"),
        ("kequn_models", "labels", "train_value"),
    ],
)
def test_order_within_a_dag(bag: DagBag, dag_id: str, first: str, last: str) -> None:
    assert reaches(bag, dag_id, first, last)
    assert not reaches(bag, dag_id, last, first)


def test_groups_are_task_groups(bag: DagBag) -> None:
    assert set(bag.dags["kequn_ingest"].task_group.get_task_group_dict()) - {None} == {"reference", "channel", "transactions", "credit"}


@pytest.mark.parametrize(("earlier", "later"), list(zip(chain.CHAIN, chain.CHAIN[1:], strict=False)))
def test_each_dag_of_the_chain_waits_for_the_one_asset_of_the_one_before(bag: DagBag, earlier: str, later: str) -> None:
    sent = [(asset.name, task) for task in bag.dags[earlier].tasks for asset in task.outlets]
    awaited = [bag.dags[later].timetable.asset_condition.name]
    assert len(sent) == 1
    assert [name for name, _ in sent] == awaited
    # Nothing that the next DAG reads is still being written when the asset is sent.
    sender = sent[0][1]
    before = {task.task_id for task in sender.get_flat_relatives(upstream=True)}
    after = {task.task_id for task in sender.get_flat_relatives(upstream=False)}
    assert before | after | {sender.task_id} == set(bag.dags[earlier].task_ids)


def test_assets_name_the_tables_of_their_layers(bag: DagBag) -> None:
    for dag_id, layers in zip(chain.CHAIN, ({"core"}, {"features"}, {"features", "scores"}, {"mart"}), strict=True):
        (asset,) = [asset for task in bag.dags[dag_id].tasks for asset in task.outlets]
        tables = asset.extra["tables"].split(", ")
        assert tables
        assert {table.partition(".")[0] for table in tables} == layers


def test_the_history_wakes_nobody(bag: DagBag) -> None:
    assert [asset for task in bag.dags["kequn_history"].tasks for asset in task.outlets] == []
