"""The mistakes of the main job, as a user makes them: each says what to do, and leaves nothing half done.

Held elsewhere already:
a malformed rule and an unknown attribute in one     tests/segments/test_api.py, test_pages.py
an unknown attribute of a profile                    tests/events/test_profiles.py
weights that do not sum, on the page                 tests/experiments/test_pages_setup.py
launch without a plan, on the page                   tests/experiments/test_pages_lifecycle.py
import with a missing column                         tests/assignments/test_importing.py
a duplicate exposure                                 tests/assignments/test_exposures.py
database down at start: migrate and serve            tests/config/test_preflight.py
"""

from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from accounts.models import Project
from config.embedded.processes import free_port
from experiments.models import Experiment
from segments.models import Segment
from tests.factories import (
    AttributeFactory,
    ExperimentFactory,
    ProjectFactory,
    SegmentFactory,
    make_key,
    production_of,
    running_experiment,
)
from tests.journey.site import manage
from tests.processes import bare_environment


class Api:
    """A client with an API key."""

    def __init__(self, project: Project) -> None:
        self._headers = {"Authorization": f"Bearer {make_key(production_of(project))}"}

    def __call__(self, method: str, path: str, body: Any) -> HttpResponse:
        answer: HttpResponse = getattr(Client(), method)(
            f"/api/v1/{path}", body, content_type="application/json", headers=self._headers
        )
        return answer


@pytest.fixture
def project(db: None) -> Project:
    made: Project = ProjectFactory()
    return made


@pytest.fixture
def api(project: Project) -> Api:
    return Api(project)


def everything_stored() -> dict[str, int]:
    """Count the rows of every table but those that note the use of a key."""
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name != "accounts_apikey"]
        counts = {}
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
            counts[table] = cursor.fetchone()[0]
    return counts


def fault(answer: HttpResponse) -> tuple[int, dict[str, str]]:
    """Return the status and the only fault of a problem."""
    (error,) = answer.json()["errors"]  # type: ignore[attr-defined]
    return answer.status_code, error


def test_weights_that_do_not_sum_are_refused_with_the_sum_and_the_old_targets_stay(
    project: Project, api: Api
) -> None:
    draft: Experiment = ExperimentFactory(project=project)
    before = everything_stored()
    target = {"share_bp": 10_000, "weights_bp": [5_000, 4_000]}
    status, error = fault(api("put", f"experiments/{draft.public_id}/targets", {"targets": [target]}))
    assert (status, error["pointer"]) == (422, "/targets/0/weights_bp")
    assert "sum to 100 %" in error["detail"]
    assert everything_stored() == before
    assert list(draft.targets.values_list("weights_bp", flat=True)) == [[5_000, 5_000]]


def test_launch_without_a_plan_is_refused_with_what_a_plan_holds_and_nothing_starts(
    project: Project, api: Api
) -> None:
    draft: Experiment = ExperimentFactory(project=project, plan=None)
    before = everything_stored()
    status, error = fault(api("post", f"experiments/{draft.public_id}/start", {}))
    assert (status, error["pointer"], error["code"]) == (422, "/plan", "no_plan")
    assert "Fill in the plan: α, power, the smallest effect worth finding" in error["detail"]
    assert everything_stored() == before
    draft.refresh_from_db()
    assert (draft.status, draft.started_at) == ("draft", None)


def test_malformed_rule_of_a_next_version_is_refused_and_the_segment_stays_as_it_was(
    project: Project, api: Api
) -> None:
    AttributeFactory(project=project, key="country")
    segment: Segment = SegmentFactory(project=project)
    before = everything_stored()
    rule = {"attribute": "country", "op": "equals", "value": "DE"}
    status, error = fault(api("post", f"segments/{segment.public_id}/versions", {"rule": rule}))
    assert (status, error["pointer"]) == (422, "/rule/op")
    assert "Use one of: eq, ne," in error["detail"]
    assert everything_stored() == before


def test_one_faulty_exposure_in_a_batch_names_its_mend_and_the_rest_is_stored(project: Project) -> None:
    experiment = running_experiment(project=project)
    key = make_key(production_of(project), kind="sdk_server")
    items = [
        {"experiment": experiment.key, "variant": variant, "unit_id": unit}
        for unit, variant in (("u1", "control"), ("u2", "contol"), ("u1", "control"))
    ]
    answer = Client().post(
        "/api/v1/exposures", {"exposures": items}, content_type="application/json", headers={"X-API-Key": key}
    )
    assert answer.status_code == 202
    results = answer.json()["results"]
    assert [result["status"] for result in results] == ["accepted", "rejected", "duplicate"]
    assert results[1]["detail"] == "variant must be one of: control, treatment."


@pytest.mark.parametrize("command", ["demo", "owner_create", "doctor"])
def test_commands_of_the_first_day_say_what_to_do_while_the_database_is_down(
    command: str, tmp_path: Path
) -> None:
    url = f"postgresql://strata:hush@127.0.0.1:{free_port()}/strata"
    environment = bare_environment(
        DATABASE_URL=url, BROKER_URL="redis://127.0.0.1:1/0", STRATA_HOME=str(tmp_path)
    )
    arguments = ["owner@example.com"] if command == "owner_create" else []
    done = manage(environment, command, *arguments)
    said = done.stdout + done.stderr
    assert done.returncode in (1, 4)
    assert "What to do: start that server or correct DATABASE_URL" in said
    assert "Traceback" not in said
    assert "hush" not in said
    assert not (tmp_path / "log").exists()
    assert not (tmp_path / "mail").exists()
