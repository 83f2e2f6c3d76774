"""Organisations, projects, members: every change audited, a project never without an admin."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from accounts.audit import broken_entry
from accounts.models import AuditEntry, Membership, Role, User
from accounts.services import (
    AlreadyMember,
    LastAdmin,
    NameTaken,
    ProjectSettings,
    add_member,
    change_role,
    create_organisation,
    create_owner,
    create_project,
    remove_member,
    update_project,
)
from tests.factories import MembershipFactory, OrganisationFactory, ProjectFactory, UserFactory, actor_of

SETTINGS = ProjectSettings(
    name="Shop", description="", timezone="Europe/Berlin", currency="EUR", consent_required=False
)


@pytest.mark.django_db
def test_a_new_project_has_two_environments_and_its_maker_as_admin() -> None:
    owner, password = create_owner(email="Owner@Example.com")
    project = create_project(
        organisation=create_organisation(name="Acme"), name="Web shop", actor=actor_of(owner)
    )
    assert owner.check_password(password)
    assert project.slug == "web-shop"
    assert list(project.environments.order_by("slug").values_list("slug", "is_production")) == [
        ("production", True),
        ("staging", False),
    ]
    assert Membership.objects.get(project=project).role == Role.ADMIN
    actions = AuditEntry.objects.filter(project=project).order_by("id").values_list("action", flat=True)
    assert list(actions) == ["project.created", "member.added"]


@pytest.mark.django_db
def test_equal_names_get_different_addresses_and_a_chosen_address_must_be_free() -> None:
    organisation, actor = OrganisationFactory(), actor_of(UserFactory())
    slugs = [create_project(organisation=organisation, name="Web shop", actor=actor).slug for _ in range(3)]
    assert slugs == ["web-shop", "web-shop-2", "web-shop-3"]
    with pytest.raises(NameTaken):
        create_project(organisation=organisation, name="Other", slug="web-shop", actor=actor)


@pytest.mark.django_db
def test_a_name_without_latin_letters_still_gets_an_address() -> None:
    assert create_organisation(name="株式会社").slug == "organisation"


@pytest.mark.django_db
def test_an_owner_address_is_taken_whatever_its_case() -> None:
    create_owner(email="owner@example.com")
    with pytest.raises(NameTaken):
        create_owner(email="OWNER@example.com")


@pytest.mark.django_db
def test_only_what_changed_in_the_settings_reaches_the_trail() -> None:
    project = ProjectFactory(name="Shop", timezone="UTC")
    actor = actor_of(UserFactory())
    update_project(project=project, settings=SETTINGS, actor=actor)
    update_project(project=project, settings=SETTINGS, actor=actor)
    entry = AuditEntry.objects.get(project=project)
    assert (entry.before, entry.after) == ({"timezone": "UTC"}, {"timezone": "Europe/Berlin"})


@pytest.mark.django_db
def test_adding_a_stranger_makes_a_user_without_a_password() -> None:
    project = ProjectFactory()
    membership = add_member(
        project=project, email=" New@Example.com", role=Role.ANALYST, actor=actor_of(UserFactory())
    )
    assert membership.user.email == "new@example.com"
    assert not membership.user.has_usable_password()


@pytest.mark.django_db
def test_adding_a_member_twice_is_refused() -> None:
    member = MembershipFactory()
    with pytest.raises(AlreadyMember):
        add_member(
            project=member.project, email=member.user.email, role=Role.VIEWER, actor=actor_of(member.user)
        )
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_the_only_admin_can_neither_be_demoted_nor_removed() -> None:
    admin = MembershipFactory(role=Role.ADMIN)
    MembershipFactory(project=admin.project, role=Role.VIEWER)
    with pytest.raises(LastAdmin):
        change_role(membership=admin, role=Role.VIEWER, actor=actor_of(admin.user))
    with pytest.raises(LastAdmin):
        remove_member(membership=admin, actor=actor_of(admin.user))
    admin.refresh_from_db()
    assert admin.role == Role.ADMIN


@pytest.mark.django_db
def test_with_a_second_admin_the_first_can_go() -> None:
    admin = MembershipFactory(role=Role.ADMIN)
    other = MembershipFactory(project=admin.project, role=Role.VIEWER)
    change_role(membership=other, role=Role.ADMIN, actor=actor_of(admin.user))
    remove_member(membership=admin, actor=actor_of(other.user))
    assert list(Membership.objects.filter(project=admin.project)) == [other]
    assert broken_entry(admin.project) is None


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_demote_each_other_at_once_leave_one_admin() -> None:
    first = MembershipFactory(role=Role.ADMIN)
    second = MembershipFactory(project=first.project, role=Role.ADMIN)

    def demote(membership: Membership) -> bool:
        try:
            change_role(membership=membership, role=Role.VIEWER, actor=actor_of(membership.user))
        except LastAdmin:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(demote, [first, second])) == [False, True]
    assert Membership.objects.filter(project=first.project, role=Role.ADMIN).count() == 1
