"""What the browser tests look at: one project with something on every page."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import ApiKey, Membership, Project, Role, User
from analysis.models import ReportDelivery, Run
from analysis.services.deliveries import order_test_report
from analysis.services.recipients import add_recipient
from analysis.services.runs import create_run
from analysis.tasks import send_due_reports
from assignments.models import Exposure
from experiments.models import Experiment, MetricRole
from experiments.services import MetricInput, set_breakdowns, start_experiment
from segments.models import Segment
from tests.analysis.people import store_events
from tests.factories import (
    AttributeFactory,
    ExperimentFactory,
    MembershipFactory,
    MetricFactory,
    OrganisationFactory,
    ProjectFactory,
    SegmentFactory,
    UserFactory,
    make_key,
    production_of,
    running_experiment,
)

UNITS = 1_200


@dataclass(frozen=True)
class World:
    """The objects that page addresses are made of, and a logged-in session."""

    user: User
    project: Project
    member: Membership
    key: ApiKey
    segment: Segment
    draft: Experiment
    running: Experiment
    measured: Experiment
    run: Run
    mail: ReportDelivery
    session: str

    def url(self, name: str, *args: object) -> str:
        """Return the address of a page of this project."""
        return reverse(name, args=[self.project.slug, *args])


def build_world() -> World:
    """Make the objects; names hold markup, which must never run."""
    organisation = OrganisationFactory(name="Acme & <b>Sons</b>")
    project = ProjectFactory(organisation=organisation, name="Web <i>shop</i>", slug="web-shop")
    user = UserFactory(email="owner@example.com", is_staff=True, is_superuser=True)
    MembershipFactory(project=project, user=user, role=Role.ADMIN)
    member = MembershipFactory(project=project, role=Role.VIEWER)
    make_key(production_of(project), kind="sdk_server")
    AttributeFactory(project=project, key="country")
    segment = SegmentFactory(project=project, name='Germans <img src="x" onerror="alert(1)">')
    measured = _measured_experiment(project, segment, now=timezone.now())
    run = create_run(experiment=measured, watermark=timezone.now())
    return World(
        user=user,
        project=project,
        member=member,
        key=ApiKey.objects.get(environment__project=project),
        segment=segment,
        draft=ExperimentFactory(project=project, key="draft-test"),
        running=running_experiment(project=project, key="running-test"),
        measured=measured,
        run=run,
        mail=_sent_report(measured, run),
        session=_log_in(user),
    )


def _measured_experiment(project: Project, segment: Segment, *, now: datetime) -> Experiment:
    """Return an experiment that ran for three weeks; the treatment lifts orders, by plain arithmetic."""
    orders = MetricFactory(project=project, name="Orders", key="orders", event_name="order")
    returns = MetricFactory(
        project=project, name="Returns", key="returns", event_name="return", direction="decrease"
    )
    revenue = MetricFactory(project=project, name="Revenue", key="revenue", kind="sum", event_name="order")
    experiment = ExperimentFactory(
        project=project,
        key="measured-test",
        name="Green <u>button</u>",
        metrics=[
            MetricInput(orders, MetricRole.PRIMARY),
            MetricInput(returns, MetricRole.GUARDRAIL, margin=0.1),
            MetricInput(revenue, MetricRole.SECONDARY),
        ],
    )
    set_breakdowns(experiment=experiment, segments=[segment], actor=SYSTEM)
    started = now - timedelta(days=21)
    experiment = start_experiment(experiment=experiment, actor=SYSTEM, now=started)
    met = [started + timedelta(minutes=20 * i) for i in range(UNITS)]
    Exposure.objects.bulk_create(
        Exposure(
            environment=experiment.environment,
            experiment=experiment,
            unit_id=f"unit-{i}",
            variant_index=i % 2,
            segments=[segment.latest_version.pk] if i % 5 < 2 else [],
            event_id=uuid.uuid4(),
            occurred_at=at,
            received_at=at,
        )
        for i, at in enumerate(met)
    )
    store_events(experiment, [event for i, at in enumerate(met) for event in _events(i, at)])
    return experiment


def _events(i: int, at: datetime) -> list[tuple[str, str, float | None, datetime]]:
    chance, later = (i * 7919) % 100, at + timedelta(hours=1)
    events = []
    if chance < (20 if i % 2 == 0 else 31):
        events.append((f"unit-{i}", "order", 20.0 + chance, later))
    if chance in {3, 4, 90, 91}:
        events.append((f"unit-{i}", "return", None, later))
    return events


def _sent_report(experiment: Experiment, run: Run) -> ReportDelivery:
    add_recipient(experiment=experiment, email="reader@example.com", actor=SYSTEM)
    delivery = order_test_report(run=run, email="reader@example.com", actor=SYSTEM, now=timezone.now())
    send_due_reports()
    return delivery


def _log_in(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value
