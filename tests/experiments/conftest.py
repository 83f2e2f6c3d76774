"""What the tests of this app share: a project, its experiments, and somebody who visits its pages."""

import pytest
from django.urls import reverse

from accounts.models import Role
from experiments.services import TargetInput
from tests.factories import ExperimentFactory, MembershipFactory, ProjectFactory, running_experiment


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def visit(client, project):
    """Log in with a role; then call pages by name."""

    def log_in(role=Role.ADMIN):
        client.force_login(MembershipFactory(project=project, role=role).user)

        def call(name, *args, method="get", data=None):
            return getattr(client, method)(reverse(f"experiments:{name}", args=[project.slug, *args]), data)

        return call

    return log_in


@pytest.fixture
def page(visit):
    return visit()


@pytest.fixture
def draft(project):
    return ExperimentFactory(project=project)


@pytest.fixture
def running(project):
    return running_experiment(project=project, targets=[TargetInput(None, 2_000)])
