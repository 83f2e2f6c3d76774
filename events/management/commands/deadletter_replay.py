"""Take refused items in again, after their fault was mended."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import Environment
from events.deadletters import Replayed, replay_dead_letters

NOTHING_TO_DO = 3


class Command(BaseCommand):
    help = "Take the waiting dead letters of a project in again (exit code 3: none could be taken)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="slug of the project")
        parser.add_argument("--environment", help="slug of one environment (default: all of the project)")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        environments = Environment.objects.select_related("project").filter(project__slug=options["project"])
        if options["environment"]:
            environments = environments.filter(slug=options["environment"])
        if not environments:
            raise CommandError(
                f"No such project or environment: {options['project']} {options['environment'] or ''}"
            )
        now = timezone.now()
        done = {each.slug: replay_dead_letters(environment=each, now=now) for each in environments}
        self.stdout.write(_as_json(done) if options["json"] else _as_text(done))
        if not any(each.taken for each in done.values()):
            raise SystemExit(NOTHING_TO_DO)


def _as_json(done: dict[str, Replayed]) -> str:
    return json.dumps({slug: {"taken": each.taken, "refused": each.refused} for slug, each in done.items()})


def _as_text(done: dict[str, Replayed]) -> str:
    return "\n".join(
        f"{slug}: {each.taken} taken in, {each.refused} still refused" for slug, each in done.items()
    )
