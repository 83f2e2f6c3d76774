"""The trail: append-only, chained, and honest about tampering."""

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.audit import SYSTEM, broken_entry, record
from accounts.models import AuditEntry
from tests.factories import ProjectFactory


@pytest.mark.django_db
def test_entries_form_a_chain_and_cannot_be_changed_or_removed() -> None:
    project = ProjectFactory()
    entries = [record(project=project, actor=SYSTEM, action=f"a.{i}", target=project) for i in range(3)]
    assert [e.previous_hash for e in entries[1:]] == [e.hash for e in entries[:-1]]
    for change in (
        lambda: AuditEntry.objects.update(actor="someone else"),
        lambda: AuditEntry.objects.all().delete(),
    ):
        with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
            change()
    assert broken_entry(project) is None


@pytest.mark.django_db
def test_a_change_behind_the_back_of_the_database_is_found() -> None:
    project = ProjectFactory()
    entries = [record(project=project, actor=SYSTEM, action=f"a.{i}", target=project) for i in range(3)]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER audit_append_only")
        cursor.execute("UPDATE accounts_auditentry SET actor = 'x' WHERE id = %s", [entries[1].pk])
        cursor.execute("ALTER TABLE accounts_auditentry ENABLE TRIGGER audit_append_only")
    assert broken_entry(project) == entries[1]
