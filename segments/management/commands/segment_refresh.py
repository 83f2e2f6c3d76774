"""`manage.py segment_refresh`: bring memberships up to date now."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q
from django.utils import timezone

from segments.models import SegmentRefresh
from segments.queries.membership import kept_fresh
from segments.services import claim_due_refreshes
from segments.tasks import refresh_claimed

FAILED, NOTHING_TO_DO = 1, 3


class Command(BaseCommand):
    """Refresh due segments, or the named ones whether due or not."""

    help = (
        "Refresh the membership of segments. Without names: those that are due. "
        "Exit: 0 done, 1 a refresh failed, 3 nothing to do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("segments", nargs="*", help="keys or public ids (seg_…)")
        parser.add_argument("--project", help="slug of the project; needed when a key exists in several")
        parser.add_argument("--environment", help="slug of the environment; all unless told")
        parser.add_argument("--dry-run", action="store_true", help="say what would be refreshed")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.add_argument("--quiet", action="store_true", help="print only failures")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = self._chosen(options)
        if options["dry_run"]:
            for row in rows:
                self._print(row, options, "would be refreshed")
            return
        failed = 0
        for row in rows:
            done = refresh_claimed(row)
            failed += not done
            row.refresh_from_db()
            self._print(row, options, "refreshed" if done else f"failed: {row.error}")
        if failed:
            sys.exit(FAILED)
        if not rows:
            self.stderr.write("Nothing to refresh.")
            sys.exit(NOTHING_TO_DO)

    def _chosen(self, options: dict[str, Any]) -> list[SegmentRefresh]:
        now = timezone.now()
        wanted = SegmentRefresh.objects.filter(version__in=kept_fresh()).select_related(
            "version__segment__project", "environment__project"
        )
        if options["project"]:
            wanted = wanted.filter(version__segment__project__slug=options["project"])
        if options["environment"]:
            wanted = wanted.filter(environment__slug=options["environment"])
        names = options["segments"]
        if not names:
            if options["dry_run"] or options["project"] or options["environment"]:
                return list(wanted.filter(due_at__lte=now))
            return claim_due_refreshes(now=now, limit=10_000)
        chosen = list(
            wanted.filter(Q(version__segment__key__in=names) | Q(version__segment__public_id__in=names))
        )
        found = {row.version.segment.key for row in chosen} | {
            row.version.segment.public_id for row in chosen
        }
        missing = [name for name in names if name not in found]
        if missing:
            raise CommandError(f"No segment {', '.join(missing)}. Give a key or a public id (seg_…).")
        if len({row.version.segment.project_id for row in chosen}) > 1 and not options["project"]:
            raise CommandError("These keys exist in several projects. Add --project SLUG.")
        return chosen

    def _print(self, row: SegmentRefresh, options: dict[str, Any], outcome: str) -> None:
        if options["quiet"] and not outcome.startswith("failed"):
            return
        segment = row.version.segment
        if options["json"]:
            line = json.dumps(
                {
                    "segment": segment.public_id,
                    "key": segment.key,
                    "version": row.version.number,
                    "environment": row.environment.slug,
                    "outcome": outcome,
                    "size": row.size,
                    "entered": row.entered,
                    "left": row.left,
                }
            )
        else:
            size = "" if row.size is None else f", {row.size:,} units (+{row.entered:,}, −{row.left:,})"
            line = f"{segment.key} v{row.version.number} in {row.environment.slug}: {outcome}{size}"
        self.stdout.write(line)
