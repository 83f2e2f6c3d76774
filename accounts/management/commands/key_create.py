"""Make an API key from the command line."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.audit import Actor
from accounts.keys import create_key
from accounts.models import Environment, KeyKind, Project, Role


class Command(BaseCommand):
    help = "Create an API key; its secret is printed once, on stdout, and stored nowhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's address part, as in /p/<project>/")
        parser.add_argument("--environment", default="production")
        parser.add_argument("--kind", choices=KeyKind.values, default=KeyKind.SDK_SERVER.value)
        parser.add_argument("--role", choices=Role.values, default=Role.VIEWER.value, help="for --kind api")
        parser.add_argument("--name", default="command line")
        parser.add_argument("--origin", action="append", default=[], help="for --kind sdk_client; repeatable")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        key, secret = create_key(
            environment=self._environment(options["project"], options["environment"]),
            kind=options["kind"],
            role=options["role"],
            name=options["name"],
            allowed_origins=options["origin"],
            actor=Actor(label="command line"),
        )
        if options["json"]:
            self.stdout.write(json.dumps({"id": key.public_id, "kind": key.kind, "secret": secret}))
        else:
            self.stdout.write(secret)

    def _environment(self, project: str, environment: str) -> Environment:
        found = Environment.objects.filter(project__slug=project, slug=environment).first()
        if found is None:
            names = (
                ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none yet"
            )
            raise CommandError(
                f"There is no environment {environment} in a project {project}. Projects: {names}. "
                "Make one with: manage.py owner_create you@example.com --project 'Web shop'"
            )
        return found
