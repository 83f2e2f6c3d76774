"""Build the demo's project through the services that pages and API use; a second call finds everything there."""

import json
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from accounts.audit import Actor
from accounts.keys import create_key
from accounts.models import Environment, KeyKind, Project, User
from accounts.services import create_organisation, create_owner, create_project
from assignments.import_mapping import ImportMapping, parse_mapping
from assignments.import_rows import UnitRows, check_rows, read_table
from assignments.import_setup import Description
from assignments.importing import import_experiment, import_profiles
from config.demo import rand_hie
from config.demo.app import BOOKED, CALLED, DEFAULT, FLAG, Person
from experiments.models import Direction, Experiment, FlagType, MetricKind, MetricRole, StoppingRule
from experiments.services.drafts import create_experiment
from experiments.services.inputs import MetricInput, NewFlag, PlanInput, TargetInput, VariantInput
from experiments.services.lifecycle import start_experiment
from experiments.services.metrics import create_metric
from experiments.services.setup import set_breakdowns, set_metrics, set_plan
from segments.models import Segment
from segments.services.definitions import create_segment

OWNER_EMAIL = "owner@example.com"
PROJECT = "demo"
IMPORTED = "rand-health-insurance"
ASSIGNED = "checkup-reminder"
NOTE = (
    "A real randomised trial of the 1970s: the RAND Health Insurance Experiment, first year, 5,638 people. "
    "Families were randomised, not persons, and the file has no family number, so intervals are a little too narrow."
)
SIMULATED_NOTE = (
    "Real people, simulated behaviour: the units are the people of the RAND study; what they did is drawn with a "
    "known effect (+9 points for the chronically ill, +5 points for all others, on a base of 22 %)."
)


@dataclass(frozen=True)
class Workspace:
    """What the demo works with. password: of the owner, only when the owner was made just now."""

    project: Project
    environment: Environment
    owner: User
    password: str | None
    imported: Experiment
    assigned: Experiment
    people: list[Person]


def build() -> Workspace:
    """Make the owner, the project, its segments and both experiments, or find them."""
    owner, password = _owner()
    actor = Actor(label=f"demo ({owner.email})", user=owner)
    project = _project(actor)
    environment = project.environments.get(slug="production")
    mapping, rows = _read_people(settings.STRATA_HOME / "demo")
    import_profiles(environment=environment, mapping=mapping, rows=rows, actor=actor)
    segments = _segments(project, actor)
    about = Description(
        key=IMPORTED,
        name="Insurance plans and the use of care",
        hypothesis="People who pay a share of the cost see a doctor less often, because care is no longer free.",
        note=NOTE,
        mde=0.10,
    )
    done = import_experiment(environment=environment, mapping=mapping, rows=rows, about=about, actor=actor)
    return Workspace(
        project=project,
        environment=environment,
        owner=owner,
        password=password,
        imported=done.experiment,
        assigned=_assigned(environment, segments, actor),
        people=[_person(row.unit_id, row.attributes) for row in rows.rows],
    )


def app_key(environment: Environment) -> str:
    """Make the server key that the demo's app uses; it is not kept, the next app gets its own."""
    _, secret = create_key(
        environment=environment, kind=KeyKind.SDK_SERVER, name="demo app", actor=Actor(label="demo")
    )
    return secret


def _owner() -> tuple[User, str | None]:
    owner = User.objects.filter(email=OWNER_EMAIL).first()
    return (owner, None) if owner else create_owner(email=OWNER_EMAIL)


def _project(actor: Actor) -> Project:
    project = Project.objects.filter(slug=PROJECT).first()
    if project is not None:
        return project
    return create_project(
        organisation=create_organisation(name="Demo"),
        name="Demo: health insurance",
        slug=PROJECT,
        currency="USD",
        description="The RAND Health Insurance Experiment and a simulated app for the same people.",
        actor=actor,
    )


def _read_people(folder: Path) -> tuple[ImportMapping, UnitRows]:
    """Write the file and mapping that `experiment_import` would take, and read them as it does."""
    data, plan = folder / "rand_hie_year_1.csv", folder / "mapping.json"
    rand_hie.write_people(data)
    plan.write_text(json.dumps(rand_hie.MAPPING, indent=2), encoding="utf-8")
    table = read_table(data)
    mapping = parse_mapping(rand_hie.MAPPING, table.column_names)
    return mapping, check_rows(table, mapping)


def _segments(project: Project, actor: Actor) -> dict[str, Segment]:
    known = {segment.key: segment for segment in project.segments.all()}
    for wanted in rand_hie.SEGMENTS:
        if wanted.key not in known:
            known[wanted.key] = create_segment(
                project=project,
                key=wanted.key,
                name=wanted.name,
                rationale=wanted.rationale,
                rule=wanted.rule,
                actor=actor,
            )
    return known


def _assigned(environment: Environment, segments: dict[str, Segment], actor: Actor) -> Experiment:
    experiment = environment.experiments.filter(key=ASSIGNED).first()
    if experiment is not None:
        return experiment
    experiment = create_experiment(
        environment=environment,
        name="Check-up reminder letter",
        hypothesis="A letter that says why a check-up matters makes more people book one, most of all the "
        "chronically ill, because they know what they could lose.",
        flag=NewFlag(key=FLAG, type=FlagType.STRING, name="Which reminder a person gets"),
        variants=[
            VariantInput(DEFAULT, DEFAULT, "No letter"),
            VariantInput("letter", "letter", "Reminder letter"),
        ],
        targets=[TargetInput(segments["chronically-ill"]), TargetInput()],
        key=ASSIGNED,
        note=SIMULATED_NOTE,
        actor=actor,
    )
    booked = create_metric(
        project=environment.project,
        key="checkup-booked",
        name="Check-up booked",
        kind=MetricKind.CONVERSION,
        event_name=BOOKED,
        actor=actor,
    )
    called = create_metric(
        project=environment.project,
        key="service-calls",
        name="Calls to the service line",
        kind=MetricKind.CONVERSION,
        event_name=CALLED,
        direction=Direction.DECREASE,
        actor=actor,
    )
    metrics = [
        MetricInput(booked, MetricRole.PRIMARY, baseline_mean=0.22),
        MetricInput(called, MetricRole.GUARDRAIL, margin=0.25, baseline_mean=0.25),
    ]
    set_metrics(experiment=experiment, metrics=metrics, actor=actor)
    reported = [segments[key] for key in ("chronically-ill", "women", "men", "adults-40")]
    set_breakdowns(experiment=experiment, segments=reported, actor=actor)
    plan = PlanInput(mde=0.20, planned_n=4_000, stopping_rule=StoppingRule.ALWAYS_VALID, daily_units=400)
    set_plan(experiment=experiment, plan=plan, actor=actor)
    return start_experiment(experiment=experiment, actor=actor)


def _person(unit_id: str, attributes: dict[str, object]) -> Person:
    score = attributes["chronic_disease_score"]
    chronically_ill = isinstance(score, int | float) and score > rand_hie.DISEASE_MEDIAN
    return Person(unit_id=unit_id, attributes=dict(attributes), chronically_ill=chronically_ill)
