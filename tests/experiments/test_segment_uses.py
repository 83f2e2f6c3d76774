"""Which experiments use a segment: the panel on the segment's page."""

import pytest
from django.test import Client
from django.urls import reverse

from experiments.services import TargetInput, set_breakdowns
from tests.factories import ExperimentFactory, MembershipFactory, SegmentFactory, actor_of, add_version


@pytest.mark.django_db
def test_a_segment_names_the_experiments_that_target_it_and_report_by_it_with_their_versions(
    client: Client,
) -> None:
    membership = MembershipFactory()
    segment = SegmentFactory(project=membership.project)
    targeting = ExperimentFactory(project=membership.project, targets=[TargetInput(segment)])
    add_version(segment, {"attribute": "country", "op": "eq", "value": "FR"})
    reporting = ExperimentFactory(project=membership.project)
    set_breakdowns(experiment=reporting, segments=[segment], actor=actor_of(membership.user))
    unrelated = ExperimentFactory(project=membership.project)
    client.force_login(membership.user)

    url = reverse("experiments:segment-uses", args=[membership.project.slug, segment.public_id])
    page = client.get(url).content.decode()
    panel = client.get(url, headers={"HX-Request": "true"}).content.decode()

    for answer in (page, panel):
        assert targeting.name in answer
        assert "targets version 1" in answer
        assert reporting.name in answer
        assert "reports by version 2" in answer
        assert unrelated.name not in answer
    assert "<h1>" in page
    assert "<h1>" not in panel


@pytest.mark.django_db
def test_a_segment_of_another_project_is_not_found(client: Client) -> None:
    membership = MembershipFactory()
    client.force_login(membership.user)
    url = reverse("experiments:segment-uses", args=[membership.project.slug, SegmentFactory().public_id])
    assert client.get(url).status_code == 404
