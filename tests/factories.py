"""Rows for tests: each factory makes the smallest object that the product itself would have made."""

from datetime import datetime
from typing import Any

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from accounts.audit import SYSTEM, Actor
from accounts.keys import create_key
from accounts.models import Environment, KeyKind, Membership, Organisation, Project, Role, User
from events.models import Attribute, AttributeType, Profile
from experiments.models import Direction, Experiment, Flag, FlagType, Metric, MetricKind, MetricRole
from experiments.services import (
    MetricInput,
    PlanInput,
    TargetInput,
    VariantInput,
    create_experiment,
    set_metrics,
    set_plan,
    start_experiment,
)
from segments.models import Segment, SegmentVersion
from segments.rules import needs_stored_facts, parse, sentence

PASSWORD = "correct horse battery staple"


class UserFactory(DjangoModelFactory[User]):
    """A member of staff who can log in with PASSWORD."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda n: f"user{n}@example.com")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(password=kwargs.pop("password", PASSWORD), **kwargs)


class OrganisationFactory(DjangoModelFactory[Organisation]):
    class Meta:
        model = Organisation

    name = factory.Sequence(lambda n: f"Organisation {n}")
    slug = factory.Sequence(lambda n: f"organisation-{n}")


class ProjectFactory(DjangoModelFactory[Project]):
    """A project with the environments `production` and `staging`."""

    class Meta:
        model = Project
        skip_postgeneration_save = True

    organisation = factory.SubFactory(OrganisationFactory)
    name = factory.Sequence(lambda n: f"Project {n}")
    slug = factory.Sequence(lambda n: f"project-{n}")

    @factory.post_generation
    def environments(self, create: bool, extracted: object, **kwargs: object) -> None:
        EnvironmentFactory(project=self, slug="production", name="Production", is_production=True)
        EnvironmentFactory(project=self, slug="staging", name="Staging")


class EnvironmentFactory(DjangoModelFactory[Environment]):
    """One more environment; `production_of(project)` finds the one a project has already."""

    class Meta:
        model = Environment

    project = factory.SubFactory(ProjectFactory)
    name = factory.Sequence(lambda n: f"Environment {n}")
    slug = factory.Sequence(lambda n: f"environment-{n}")


class MembershipFactory(DjangoModelFactory[Membership]):
    class Meta:
        model = Membership

    user = factory.SubFactory(UserFactory)
    project = factory.SubFactory(ProjectFactory)
    role = Role.ADMIN


def production_of(project: Project) -> Environment:
    """Return the production environment of a project made by ProjectFactory."""
    return project.environments.get(slug="production")


def make_key(environment: Environment, kind: str = KeyKind.API, role: str = Role.ADMIN, **fields: Any) -> str:
    """Make an API key and return its secret."""
    return create_key(environment=environment, kind=kind, role=role, name="test", actor=SYSTEM, **fields)[1]


def actor_of(user: User) -> Actor:
    """Return the actor that a user is in the audit trail."""
    return Actor(label=user.email, user=user)


class AttributeFactory(DjangoModelFactory[Attribute]):
    class Meta:
        model = Attribute

    project = factory.SubFactory(ProjectFactory)
    key = factory.Sequence(lambda n: f"attribute_{n}")
    type = AttributeType.STRING
    purpose = "tests"


class ProfileFactory(DjangoModelFactory[Profile]):
    class Meta:
        model = Profile

    environment = factory.SubFactory(EnvironmentFactory)
    unit_id = factory.Sequence(lambda n: f"unit-{n}")
    first_seen_at = factory.LazyFunction(timezone.now)
    last_seen_at = factory.SelfAttribute("first_seen_at")
    updated_at = factory.SelfAttribute("first_seen_at")


class SegmentFactory(DjangoModelFactory[Segment]):
    """A segment with version 1; pass `rule` (JSON) to say who is in it."""

    class Meta:
        model = Segment
        skip_postgeneration_save = True

    project = factory.SubFactory(ProjectFactory)
    key = factory.Sequence(lambda n: f"segment-{n}")
    name = factory.Sequence(lambda n: f"Segment {n}")
    rationale = "Made by a test."

    @factory.post_generation
    def rule(self, create: bool, extracted: dict[str, Any] | None, **kwargs: object) -> None:
        add_version(self, extracted or {"attribute": "country", "op": "eq", "value": "DE"})


def add_version(segment: Segment, rule: dict[str, Any]) -> SegmentVersion:
    """Give a segment its next version."""
    parsed = parse(rule)
    return SegmentVersion.objects.create(
        segment=segment,
        number=segment.versions.count() + 1,
        rule=rule,
        sentence=sentence(parsed),
        needs_stored_facts=needs_stored_facts(parsed),
    )


class FlagFactory(DjangoModelFactory[Flag]):
    class Meta:
        model = Flag

    project = factory.SubFactory(ProjectFactory)
    key = factory.Sequence(lambda n: f"flag-{n}")
    name = factory.SelfAttribute("key")
    type = FlagType.BOOLEAN
    default_value = False


class MetricFactory(DjangoModelFactory[Metric]):
    class Meta:
        model = Metric

    project = factory.SubFactory(ProjectFactory)
    key = factory.Sequence(lambda n: f"metric-{n}")
    name = factory.Sequence(lambda n: f"Metric {n}")
    kind = MetricKind.CONVERSION
    event_name = "purchase"
    direction = Direction.INCREASE


BOOLEAN_VARIANTS = (VariantInput("control", False), VariantInput("treatment", True))


class ExperimentFactory(factory.Factory[Experiment]):
    """A draft that can be launched: two variants, a primary metric and a plan, in production.

    project, flag, variants, targets, metrics (MetricInput) and plan (PlanInput) can be given.
    """

    class Meta:
        model = Experiment

    project = factory.SubFactory(ProjectFactory)
    name = factory.Sequence(lambda n: f"Experiment {n}")
    hypothesis = "The treatment is better, because a test says so."

    @classmethod
    def _create(cls, model_class: type[Experiment], *args: Any, **kwargs: Any) -> Experiment:
        project = kwargs.pop("project")
        flag = kwargs.pop("flag", None) or FlagFactory(project=project)
        metrics = kwargs.pop("metrics", None)
        plan = kwargs.pop("plan", PlanInput(mde=0.1, planned_n=1_000))
        experiment = create_experiment(
            environment=kwargs.pop("environment", None) or production_of(project),
            flag=flag,
            variants=kwargs.pop("variants", BOOLEAN_VARIANTS),
            targets=kwargs.pop("targets", (TargetInput(),)),
            actor=SYSTEM,
            **kwargs,
        )
        if metrics is None:
            metrics = [MetricInput(MetricFactory(project=project), MetricRole.PRIMARY)]
        set_metrics(experiment=experiment, metrics=metrics, actor=SYSTEM)
        if plan:
            set_plan(experiment=experiment, plan=plan, actor=SYSTEM)
        return experiment


def running_experiment(*, now: datetime | None = None, **fields: Any) -> Experiment:
    """Return an experiment as ExperimentFactory makes it, started at `now`."""
    return start_experiment(experiment=ExperimentFactory(**fields), actor=SYSTEM, now=now)
