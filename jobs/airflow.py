"""The local Airflow: start it, end it, look at it, ask for runs, load dates again, find and run those that are missing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from jobs.context import parse_date
from jobs.errors import UsageError
from jobs.runner import load_settings
from jobs.scheduling import chain, processes, services
from jobs.scheduling.services import House

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import date

    from jobs.scheduling.rest import Airflow

LATEST = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    below = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    up = below.add_parser("up", help="start Airflow and MLflow's pages; returns when every DAG is known")
    up.add_argument("--port", type=int, default=services.AIRFLOW_PORT, help="port of Airflow if it is free, else any (default %(default)s)")
    below.add_parser("down", help="end both")
    below.add_parser("status", help="what runs, and the latest runs of every DAG")
    post = below.add_parser("post", help="ask for a run of a DAG for a business date")
    post.add_argument("dag", choices=[name for name in chain.DAGS if name != chain.HISTORY], metavar="DAG", help=", ".join(chain.DAGS))
    post.add_argument("date", metavar="DATE")
    backfill = below.add_parser("backfill", help="a DAG's runs for a range of dates, one after the other, by Airflow's own command")
    backfill.add_argument("dag", choices=chain.PRODUCERS, metavar="DAG", help=", ".join(chain.PRODUCERS))
    backfill.add_argument("--from", dest="since", required=True, metavar="DATE")
    backfill.add_argument("--to", dest="until", required=True, metavar="DATE")
    backfill.add_argument(
        "--reprocess-behavior", default="none", choices=("none", "completed", "failed"), help="dates with a run that are run again"
    )
    missing = below.add_parser("missing", help="dates that a DAG of the nightly chain has not finished")
    missing.add_argument("--from", dest="since", required=True, metavar="DATE")
    missing.add_argument("--to", dest="until", required=True, metavar="DATE")
    missing.add_argument("--trigger", action="store_true", help="ask for the first missing DAG of each date; the others follow it")


def run(arguments: argparse.Namespace) -> int:
    house = House(settings=load_settings())
    match arguments.action:
        case "up":
            _up(house, arguments.port)
        case "down":
            print(f"ended: {', '.join(services.stop(house)) or 'nothing ran'}")
        case "status":
            _status(house)
        case "post":
            posted = house.airflow.post(arguments.dag, key=str(parse_date(arguments.date)))
            print(f"{posted.dag_id} {posted.key}: {posted.state} as [{posted.run_id}]")
        case "backfill":
            return _backfill(house, arguments)
        case "missing":
            _missing(house.airflow, parse_date(arguments.since), parse_date(arguments.until), trigger=arguments.trigger)
        case _:
            raise UsageError(f"No action [{arguments.action}]")
    return 0


def _up(house: House, port: int) -> None:
    try:
        services.start(house, preferred=port)
        services.start_mlflow(house)
        services.wait(house)
        services.wait_for_mlflow(house)
    except BaseException:
        services.stop(house)
        raise
    _addresses(house)


def _addresses(house: House) -> None:
    print(f"Airflow  http://localhost:{house.port('api-server')}")
    print(f"MLflow   http://localhost:{house.port(services.MLFLOW)}")
    print(f"logs     {house.folder}")


def _status(house: House) -> None:
    leaders = {service.name: processes.leader_of(service) for service in house.services}
    for name, leader in leaders.items():
        print(f"{name:<14} {f'runs as process {leader.pid}' if leader else 'does not run'}")
    if not leaders["api-server"]:
        return
    for dag_id in chain.DAGS:
        for latest in house.airflow.runs(dag_id, limit=LATEST):
            print(f"{dag_id:<18} {latest.key or latest.run_id:<12} {latest.state:<8} {latest.seconds or 0:7.1f} s")
    print(f"Airflow  http://localhost:{house.port('api-server')}")


def _backfill(house: House, arguments: argparse.Namespace) -> int:
    """What Airflow's command ends with. It only asks for the runs, which the other DAGs of the chain follow."""
    dates = ("--from-date", str(parse_date(arguments.since)), "--to-date", str(parse_date(arguments.until)))
    # A backfill has a limit of its own beside the DAG's: without it dates would run side by side.
    in_turn = ("--max-active-runs", "1", "--reprocess-behavior", arguments.reprocess_behavior)
    return services.call(house, "backfill", "create", "--dag-id", arguments.dag, *dates, *in_turn)


def days(since: date, until: date) -> Iterator[date]:
    """Every day from `since` to `until`, both inclusive."""
    yield from (since + timedelta(days=nth) for nth in range((until - since).days + 1))


def first_missing(airflow: Airflow, day: date) -> tuple[str, str] | None:
    """The first DAG of the chain that has not finished the date, with its state; None when all have."""
    for dag_id in chain.CHAIN:
        runs = airflow.runs(dag_id, key=str(day))
        if not any(each.state == "success" for each in runs):
            return dag_id, runs[0].state if runs else "absent"
    return None


def _missing(airflow: Airflow, since: date, until: date, *, trigger: bool) -> None:
    """Open runs are told of and left alone."""
    complete = True
    for day in days(since, until):
        found = first_missing(airflow, day)
        if not found:
            continue
        complete = False
        dag_id, state = found
        asked = trigger and state not in {"queued", "running"}
        if asked:
            airflow.post(dag_id, key=str(day))
        print(f"{day} {dag_id:<18} {state}{' -> asked for' if asked else ''}")
    if complete:
        print(f"every date of [{since}..{until}] went through {', '.join(chain.CHAIN)}")
