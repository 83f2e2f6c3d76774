"""A tenant: one project with something behind every address, a member of each role, and keys."""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.core import mail
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import ApiKey, Environment, KeyKind, Membership, Organisation, Project, Role, User
from analysis.models import AnalysisJob, ReportDelivery, ReportRecipient, Run
from analysis.reports.tokens import make_token
from analysis.services import add_recipient, order_test_report, request_analysis
from analysis.services.runs import create_run
from analysis.tasks import send_due_reports
from assignments.models import Exposure
from events.models import Attribute
from experiments.models import Experiment, Flag, Layer, Metric, MetricRole
from experiments.services import (
    MetricInput,
    TargetInput,
    complete_experiment,
    create_layer,
    pause_experiment,
    set_breakdowns,
    set_override,
    start_experiment,
)
from segments.models import Segment
from tests.analysis.people import store_events
from tests.factories import (
    AttributeFactory,
    ExperimentFactory,
    FlagFactory,
    MembershipFactory,
    MetricFactory,
    OrganisationFactory,
    ProfileFactory,
    ProjectFactory,
    SegmentFactory,
    make_key,
    production_of,
    running_experiment,
)

UNITS = 400
DAYS = 8


@dataclass(frozen=True)
class Tenant:
    """The objects that addresses and bodies name; their keys and ids differ between tenants."""

    project: Project
    environment: Environment
    members: dict[Role, User]
    spare_member: Membership
    key: ApiKey
    attribute: Attribute
    segment: Segment
    flag: Flag
    metric: Metric
    layer: Layer
    draft: Experiment
    running: Experiment
    paused: Experiment
    completed: Experiment
    measured: Experiment
    run: Run
    job: AnalysisJob
    recipient: ReportRecipient
    mail: ReportDelivery

    @property
    def slug(self) -> str:
        return self.project.slug

    @property
    def unsubscribe_token(self) -> str:
        return make_token(self.recipient)


@dataclass(frozen=True)
class World:
    """What lies beside a project: a sibling in its organisation, and a foreign one."""

    own: Tenant
    sibling: Tenant
    foreign: Tenant

    def other(self, where: str) -> Tenant:
        """Return the sibling or the foreign tenant."""
        return self.sibling if where == "sibling" else self.foreign


@dataclass(frozen=True)
class Names:
    """What people call things; hostile ones are for test_hostile_names."""

    project: str = "Project"
    segment: str = "Segment"
    flag: str = "Flag"
    metric: str = "Metric"
    experiment: str = "Experiment"
    variant: str = "Variant"
    note: str = "A note."
    attribute: str = "An attribute."
    key: str = "A key"
    reason: str = "A reason."


def build_tenant(slug: str, organisation: Organisation | None = None, names: Names | None = None) -> Tenant:
    """Make a tenant; every key in it starts with its slug."""
    names = names or Names()
    project = ProjectFactory(
        organisation=organisation or OrganisationFactory(),
        slug=slug,
        name=names.project,
        description=names.note,
    )
    environment = production_of(project)
    attribute = AttributeFactory(
        project=project, key=f"{slug}_country", description=names.attribute, purpose=names.reason
    )
    segment = SegmentFactory(
        project=project,
        key=f"{slug}-segment",
        name=names.segment,
        rationale=names.note,
        rule={"attribute": attribute.key, "op": "eq", "value": names.segment},
    )
    metric = MetricFactory(
        project=project,
        key=f"{slug}-metric",
        name=names.metric,
        description=names.note,
        unit_label=names.metric[:20],
        event_name="order",
    )
    ProfileFactory(environment=environment, unit_id=f"{slug}-unit-1", attributes={attribute.key: "DE"})
    measured = _measured(project, segment, metric, names)
    run = create_run(experiment=measured, watermark=timezone.now())
    make_key(environment, kind=KeyKind.SDK_SERVER)
    ApiKey.objects.filter(environment=environment).update(name=names.key[:80])
    recipient = add_recipient(experiment=measured, email=f"reader@{slug}.example", actor=SYSTEM)
    return Tenant(
        project=project,
        environment=environment,
        members={role: MembershipFactory(project=project, role=role).user for role in Role},
        spare_member=MembershipFactory(project=project, role=Role.VIEWER),
        key=ApiKey.objects.get(environment=environment),
        attribute=attribute,
        segment=segment,
        flag=FlagFactory(project=project, key=f"{slug}.flag", name=names.flag, description=names.note),
        metric=metric,
        layer=create_layer(environment=environment, key=f"{slug}-layer", actor=SYSTEM),
        draft=ExperimentFactory(**_common(project, metric, names, f"{slug}-draft")),
        running=_running(project, metric, names, f"{slug}-running"),
        paused=_paused(project, metric, names, f"{slug}-paused"),
        completed=_completed(project, metric, names, f"{slug}-completed"),
        measured=measured,
        run=run,
        job=request_analysis(experiment=measured, actor=SYSTEM, now=timezone.now()),
        recipient=recipient,
        mail=_sent_report(run, recipient.email),
    )


def _common(project: Project, metric: Metric, names: Names, key: str) -> dict[str, object]:
    return {
        "project": project,
        "key": key,
        "name": names.experiment,
        "hypothesis": names.note,
        "note": names.note,
        "flag": FlagFactory(project=project, key=f"{key}.flag", name=names.flag),
        "metrics": [MetricInput(metric, MetricRole.PRIMARY)],
    }


def _named(experiment: Experiment, names: Names) -> None:
    for variant in experiment.variants.all():
        variant.name = f"{names.variant}{variant.index}"
        variant.save()


def _running(project: Project, metric: Metric, names: Names, key: str) -> Experiment:
    common = _common(project, metric, names, key)
    experiment = running_experiment(**common, targets=[TargetInput(None, 2_000)])
    _named(experiment, names)
    set_override(experiment=experiment, unit_id=f"{key}-unit", variant_key="control", actor=SYSTEM)
    return experiment


def _paused(project: Project, metric: Metric, names: Names, key: str) -> Experiment:
    experiment = running_experiment(**_common(project, metric, names, key))
    pause_experiment(experiment=experiment, reason=names.reason, actor=SYSTEM)
    return experiment


def _completed(project: Project, metric: Metric, names: Names, key: str) -> Experiment:
    experiment = running_experiment(**_common(project, metric, names, key))
    complete_experiment(
        experiment=experiment, decision="inconclusive", reason=names.reason, variant_key="", actor=SYSTEM
    )
    return experiment


def _measured(project: Project, segment: Segment, metric: Metric, names: Names) -> Experiment:
    """Return an experiment with data of some days: enough for every table and picture."""
    guardrail = MetricFactory(
        project=project, key=f"{project.slug}-guardrail", name=names.metric, event_name="return",
        direction="decrease",
    )  # fmt: skip
    uses = [MetricInput(metric, MetricRole.PRIMARY), MetricInput(guardrail, MetricRole.GUARDRAIL, margin=0.1)]
    common = _common(project, metric, names, f"{project.slug}-measured") | {"metrics": uses}
    experiment = ExperimentFactory(**common)
    _named(experiment, names)
    set_breakdowns(experiment=experiment, segments=[segment], actor=SYSTEM)
    started = timezone.now() - timedelta(days=DAYS)
    experiment = start_experiment(experiment=experiment, actor=SYSTEM, now=started)
    met = [started + timedelta(minutes=25 * i) for i in range(UNITS)]
    Exposure.objects.bulk_create(
        Exposure(
            environment=experiment.environment,
            experiment=experiment,
            unit_id=f"unit-{i}",
            variant_index=i % 2,
            segments=[segment.latest_version.pk] if i % 5 < 3 else [],
            event_id=uuid.uuid4(),
            occurred_at=at,
            received_at=at,
        )
        for i, at in enumerate(met)
    )
    events = [(f"unit-{i}", "order", 20.0, at + timedelta(hours=1)) for i, at in enumerate(met) if i % 3 == 0]
    events += [
        (f"unit-{i}", "return", None, at + timedelta(hours=1)) for i, at in enumerate(met) if i % 10 == 0
    ]
    store_events(experiment, events)
    return experiment


def _sent_report(run: Run, email: str) -> ReportDelivery:
    delivery = order_test_report(run=run, email=email, actor=SYSTEM, now=timezone.now())
    send_due_reports()
    delivery.refresh_from_db()
    mail.outbox.clear()
    return delivery
