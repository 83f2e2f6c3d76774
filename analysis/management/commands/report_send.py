"""`manage.py report_send`: send the reports that are due, or order one experiment's report now."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from analysis.management.commands.experiment_analyse import find_experiment
from analysis.models import ReportKind
from analysis.queries.pages import latest_run
from analysis.services import claim_delivery, order_reports
from analysis.tasks import send_claimed

FAILED, NOTHING_TO_DO = 1, 3


class Command(BaseCommand):
    """Send due reports."""

    help = (
        "Send every report that is due. With an experiment: order its latest report for all recipients first "
        "(nobody gets the same run twice). Exit: 0 done, 1 a report was not taken, 3 nothing to send."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("experiment", nargs="?", help="key or public id (exp_…)")
        parser.add_argument("--project", help="slug of the project; needed when the key exists in several")
        parser.add_argument("--quiet", action="store_true", help="print only failures")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["experiment"]:
            self._order(options)
        sent = failed = 0
        while delivery := claim_delivery(now=timezone.now()):
            taken = send_claimed(delivery)
            sent, failed = sent + taken, failed + (not taken)
            delivery.refresh_from_db()
            if not taken:
                self.stderr.write(f"{delivery.recipient.email}: not sent, {delivery.error}")
            elif not options["quiet"]:
                self.stdout.write(f"{delivery.recipient.email}: {delivery.subject}")
        if failed:
            sys.exit(FAILED)
        if not sent:
            self.stderr.write("Nothing to send.")
            sys.exit(NOTHING_TO_DO)

    def _order(self, options: dict[str, Any]) -> None:
        experiment = find_experiment(options["experiment"], options["project"])
        run = latest_run(experiment)
        if run is None:
            raise CommandError(
                f"{experiment.name} has no run yet. First: manage.py experiment_analyse {experiment.key}"
            )
        if not order_reports(run=run, kind=ReportKind.PROGRESS, now=timezone.now()):
            raise CommandError(f"{experiment.name} has no recipients. Add one on its Reports page.")
