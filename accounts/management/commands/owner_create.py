"""Make the first user, and with --project a place to work in."""

import json
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.audit import Actor
from accounts.models import Organisation, Project, User
from accounts.services import create_organisation, create_owner, create_project

NOTHING_TO_DO = 3


class Command(BaseCommand):
    help = "Create a user who may create organisations and projects; prints the password once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--organisation", default="", help="name of a new or existing organisation")
        parser.add_argument(
            "--project", default="", help="name of a new project, of which the user becomes admin"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].lower()
        if User.objects.filter(email=email).exists():
            raise CommandError(
                f"{email} exists already; nothing was changed. A new password: manage.py changepassword {email}",
                returncode=NOTHING_TO_DO,
            )
        with transaction.atomic():
            user, password = create_owner(email=email, password=os.environ.get("OWNER_PASSWORD"))
            project = self._create_project(user, options)
        self._say(user, password, project, as_json=options["json"])

    def _create_project(self, user: User, options: dict[str, Any]) -> Project | None:
        if not options["project"]:
            return None
        name = options["organisation"] or options["project"]
        organisation = Organisation.objects.filter(name=name).first() or create_organisation(name=name)
        actor = Actor(label=user.email, user=user)
        return create_project(organisation=organisation, name=options["project"], actor=actor)

    def _say(self, user: User, password: str, project: Project | None, *, as_json: bool) -> None:
        if as_json:
            facts = {"email": user.email, "password": password, "project": project.slug if project else None}
            self.stdout.write(json.dumps(facts))
            return
        self.stdout.write(
            f"{user.email} can log in with the password {password}\nIt is shown only this once."
        )
        if project:
            self.stdout.write(f"Project: {project.name}, at /p/{project.slug}/")
