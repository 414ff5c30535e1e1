"""Settings: every environment loads, and what can't be used is refused with what there is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conf import settings as conf

DEPLOYED = {"KEQUN_HOME": "/srv/bank"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in ("base", "env"):
        shutil.copytree(conf.CONF / part, tmp_path / part)
    return tmp_path


@pytest.mark.parametrize("name", conf.environments())
def test_every_environment_loads(name: str) -> None:
    assert conf.load(name, variables=DEPLOYED).environment == name


def test_environments_override_and_never_add(folder: Path) -> None:
    (folder / "env" / "ci.yml").write_text("spark:\n  mastre: local[2]\n", encoding="utf-8")
    with pytest.raises(
        conf.SettingsError, match=r"\[env/ci.yml: spark\] overrides the unknown key \[mastre\]; base has \['driver_memory', "
    ):
        conf.load("ci", folder=folder, variables=DEPLOYED)


def test_a_key_that_nobody_reads_is_refused(folder: Path) -> None:
    base = folder / "base" / "spark.yml"
    base.write_text(base.read_text(encoding="utf-8") + "  colour: red\n", encoding="utf-8")
    with pytest.raises(conf.SettingsError, match=r"Settings of \[ci\] can't be used(.|\n)*spark.colour"):
        conf.load("ci", folder=folder, variables=DEPLOYED)


def test_a_missing_key_is_refused(folder: Path) -> None:
    base = folder / "base" / "spark.yml"
    lines = [line for line in base.read_text(encoding="utf-8").splitlines() if "driver_memory" not in line]
    base.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(conf.SettingsError, match=r"spark.driver_memory(.|\n)*Field required"):
        conf.load("ci", folder=folder, variables=DEPLOYED)


def test_a_value_of_the_wrong_kind_is_refused(folder: Path) -> None:
    (folder / "env" / "ci.yml").write_text("spark:\n  shuffle_partitions: many\n", encoding="utf-8")
    with pytest.raises(conf.SettingsError, match=r"spark.shuffle_partitions(.|\n)*valid integer"):
        conf.load("ci", folder=folder, variables=DEPLOYED)


@pytest.mark.parametrize(("text", "said"), [("spark: [", "is not YAML"), ("- spark", r"must hold a map of keys, found \[list\]")])
def test_a_file_that_is_no_settings_file(folder: Path, text: str, said: str) -> None:
    (folder / "env" / "ci.yml").write_text(text, encoding="utf-8")
    with pytest.raises(conf.SettingsError, match=rf"\[ci.yml\] {said}"):
        conf.load("ci", folder=folder, variables=DEPLOYED)


def test_a_key_in_two_files_is_refused(folder: Path) -> None:
    shutil.copy(folder / "base" / "spark.yml", folder / "base" / "spark_too.yml")
    with pytest.raises(conf.SettingsError, match=r"\[base/spark_too.yml\] repeats \['spark'\]"):
        conf.load("ci", folder=folder, variables=DEPLOYED)


def test_an_unknown_environment_names_the_known(folder: Path) -> None:
    with pytest.raises(conf.SettingsError, match=r"No environment \[moon\].*'local'"):
        conf.load("moon", folder=folder, variables=DEPLOYED)


def test_places_are_under_home_unless_they_say_where(folder: Path, tmp_path: Path) -> None:
    (folder / "env" / "ci.yml").write_text("paths:\n  warehouse: s3a://bank/warehouse\n", encoding="utf-8")
    settings = conf.load("ci", folder=folder, variables={**DEPLOYED, "KEQUN_LANDING": str(tmp_path)})
    assert (settings.warehouse, settings.landing, settings.locks) == ("s3a://bank/warehouse", tmp_path, Path("/srv/bank/locks"))


def test_options_are_open_and_merged(folder: Path) -> None:
    (folder / "env" / "ci.yml").write_text("spark:\n  options:\n    spark.ui.enabled: 'true'\n", encoding="utf-8")
    assert conf.load("ci", folder=folder, variables=DEPLOYED).spark.options["spark.ui.enabled"] == "true"


def test_a_development_key_never_protects_real_customers() -> None:
    assert {name for name in conf.environments() if conf.load(name, variables=DEPLOYED).source.allow_development_key}.isdisjoint(
        {"server", "cluster"}
    )
