"""`manage.py segment_refresh`."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.audit import SYSTEM
from accounts.models import Project
from segments.models import Segment, SegmentVersion
from segments.rules import Profile
from segments.services import create_segment
from tests.factories import AttributeFactory, ProjectFactory, production_of
from tests.segments.storing import store

pytestmark = pytest.mark.django_db

GERMAN = {"attribute": "country", "op": "eq", "value": "DE"}


@pytest.fixture
def project() -> Project:
    project = ProjectFactory(slug="shop")
    AttributeFactory(project=project, key="country")
    store({"a": Profile({"country": "DE"})}, production_of(project))
    create_segment(project=project, actor=SYSTEM, key="germans", name="Germans", rule=GERMAN)
    return project


def run(*args: str, **options: Any) -> str:
    out = StringIO()
    call_command("segment_refresh", *args, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def test_what_is_due_is_refreshed_and_the_second_run_has_nothing_to_do(project: Project) -> None:
    assert "germans v1 in production: refreshed, 1 units (+1, −0)" in run()
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 3


def test_a_named_segment_is_refreshed_whether_due_or_not(project: Project) -> None:
    run()
    lines = [json.loads(line) for line in run("germans", environment="production", json=True).splitlines()]
    assert [(line["environment"], line["outcome"], line["size"]) for line in lines] == [
        ("production", "refreshed", 1)
    ]


def test_a_dry_run_changes_nothing(project: Project) -> None:
    assert run(dry_run=True).count("would be refreshed") == 2
    assert run(dry_run=True).count("would be refreshed") == 2


def test_a_failure_is_told_and_ends_with_one(project: Project) -> None:
    segment = Segment.objects.create(project=project, key="later", name="Later")
    unreadable = {"language": 9}
    SegmentVersion.objects.create(
        segment=segment, number=1, rule=unreadable, sentence="?", needs_stored_facts=True
    )
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("segment_refresh", stdout=out, stderr=StringIO(), quiet=True)
    assert ended.value.code == 1
    assert out.getvalue().count("failed: This server reads rule language 1, not 9.") == 2


def test_an_unknown_name_and_an_ambiguous_key_say_what_to_do(project: Project) -> None:
    with pytest.raises(CommandError, match="No segment nobody"):
        run("nobody")
    other = ProjectFactory()
    AttributeFactory(project=other, key="country")
    create_segment(project=other, actor=SYSTEM, key="germans", name="Germans", rule=GERMAN)
    with pytest.raises(CommandError, match="Add --project"):
        run("germans")
    assert run("germans", project="shop").count("refreshed") == 2
