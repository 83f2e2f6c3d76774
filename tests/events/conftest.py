"""A project with one registered attribute and property, and an app that sends to it."""

import pytest

from accounts.models import Environment, Project
from tests.events.api_client import App, make_app
from tests.factories import AttributeFactory, ProjectFactory, production_of


@pytest.fixture
def project(db: None) -> Project:
    project = ProjectFactory()
    AttributeFactory(project=project, key="country")
    AttributeFactory(project=project, key="age", type="number")
    AttributeFactory(project=project, subject="event", key="plan")
    return project


@pytest.fixture
def environment(project: Project) -> Environment:
    return production_of(project)


@pytest.fixture
def app(environment: Environment) -> App:
    return make_app(environment)
