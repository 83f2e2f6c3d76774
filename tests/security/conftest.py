"""One world for a module, undone at its end; every test undoes what it did in that world."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction
from pytest_django import DjangoDbBlocker

from tests.security.tenants import Tenant, World, build_tenant

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            # pytest-django makes the test database only when an item says that it needs one.
            item.add_marker(pytest.mark.django_db)


@pytest.fixture
def _django_db_helper() -> None:
    """Replace pytest-django's own transaction per test: the world lasts for a module."""


@pytest.fixture(scope="module")
def database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A transaction that lasts for the module and is rolled back."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(autouse=True)
def savepoint(database: None) -> Iterator[None]:
    """Undo what a test wrote."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def world(database: None) -> World:
    """A project, another one of its organisation, and one of another organisation."""
    own = build_tenant("own")
    sibling = build_tenant("sibling", organisation=own.project.organisation)
    return World(own, sibling, build_tenant("foreign"))


@pytest.fixture(scope="module")
def own(world: World) -> Tenant:
    return world.own


@pytest.fixture(scope="module")
def foreign(world: World) -> Tenant:
    return world.foreign
