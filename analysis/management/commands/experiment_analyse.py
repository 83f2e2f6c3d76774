"""`manage.py experiment_analyse`: analyse one experiment now and say what to do."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from analysis.codec import encode, hash_of
from analysis.presentation import build_report
from analysis.reports.content import result_of
from analysis.reports.tables import align_table
from analysis.result import Result
from analysis.services import create_run
from analysis.services.runs import compute_result
from core.errors import DomainError
from experiments.models import Experiment


class Command(BaseCommand):
    """Analyse an experiment and store the run."""

    help = "Analyse an experiment with all data received so far, store the run and print its verdict."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("experiment", help="key or public id (exp_…)")
        parser.add_argument("--project", help="slug of the project; needed when the key exists in several")
        parser.add_argument("--watermark", help="only data received by this RFC 3339 time; now unless told")
        parser.add_argument("--dry-run", action="store_true", help="analyse, store nothing")
        parser.add_argument("--json", action="store_true", help="print the whole result as JSON")
        parser.add_argument("--quiet", action="store_true", help="print the verdict sentence only")

    def handle(self, *args: Any, **options: Any) -> None:
        experiment = find_experiment(options["experiment"], options["project"])
        watermark = _watermark(options["watermark"])
        try:
            result, run_id = _analyse(experiment, watermark, dry_run=options["dry_run"])
        except DomainError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            document = {"run": run_id, "result_hash": hash_of(result), "result": encode(result)}
            self.stdout.write(orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode())
        elif options["quiet"]:
            self.stdout.write(result.verdict.sentence)
        else:
            self.stdout.write(_words(result, run_id))


def find_experiment(name: str, project: str | None) -> Experiment:
    """Return an experiment by key or public id. Raises CommandError saying what to add."""
    rows = Experiment.objects.select_related("project", "environment")
    rows = rows.filter(public_id=name) if name.startswith("exp_") else rows.filter(key=name)
    if project:
        rows = rows.filter(project__slug=project)
    found = list(rows[:2])
    if not found:
        keys = Experiment.objects.order_by("-id").values_list("key", flat=True)[:10]
        raise CommandError(f"There is no experiment {name}. The latest are: {', '.join(keys) or 'none yet'}.")
    if len(found) > 1:
        raise CommandError(f"Several projects have an experiment {name}. Add --project SLUG.")
    return found[0]


def _watermark(text: str | None) -> datetime:
    if text is None:
        return timezone.now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text} is no RFC 3339 time. Write one like 2026-11-24T12:00:00Z.") from error
    if moment.tzinfo is None:
        raise CommandError(f"The time {text} needs a zone. Write {text}Z for UTC.")
    return moment


def _analyse(experiment: Experiment, watermark: datetime, *, dry_run: bool) -> tuple[Result, str | None]:
    if dry_run:
        return compute_result(experiment=experiment, watermark=watermark), None
    run = create_run(experiment=experiment, watermark=watermark)
    return result_of(run), run.public_id


def _words(result: Result, run_id: str | None) -> str:
    report = build_report(result)
    headers = ("Metric", "Variant", "A", "B", "Lift", "Interval", "p adj.")
    rows = [
        (row.metric, row.variant, row.a, row.b, f"{row.effect.mark} {row.effect.lift}", row.effect.interval,
         row.effect.p_text)
        for row in report.effects
    ]  # fmt: skip
    stored = f"Run {run_id}." if run_id else "Nothing was stored (--dry-run)."
    return f"{report.verdict.sentence}\n\n{align_table(headers, rows, left=2)}\n\n{report.progress}\n{stored}"
