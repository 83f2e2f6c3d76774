"""manage.py assignments_audit <experiment>: recompute every stored assignment in SQL."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from assignments.audit import Audit, audit_assignments
from experiments.models import Experiment, Origin

NOTHING_TO_DO, CHECK_FAILED = 3, 4


class Command(BaseCommand):
    help = (
        "Recompute every stored assignment of an experiment in the database and report those that differ. "
        "Exit code 0: none; 3: nothing to check; 4: differences."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("experiment", help="id (exp_…) or key of the experiment")
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
        parser.add_argument("--limit", type=int, default=20, help="how many differences to list")

    def handle(self, *args: Any, **options: Any) -> None:
        experiment = _find(options["experiment"])
        if experiment.origin != Origin.STRATA:
            raise CommandError(
                f"{experiment.public_id} was assigned elsewhere, so Strata cannot recompute its assignments.",
                returncode=NOTHING_TO_DO,
            )
        audit = audit_assignments(experiment, limit=options["limit"])
        if options["json"]:
            self.stdout.write(json.dumps({"experiment": experiment.public_id, **asdict(audit)}))
        else:
            self._print(experiment, audit)
        if audit.different:
            raise CommandError(
                f"{audit.different:,} assignments differ. See which SDK and version sent them (Health page).",
                returncode=CHECK_FAILED,
            )
        if audit.checked == 0:
            raise CommandError("There are no exposures to check yet.", returncode=NOTHING_TO_DO)

    def _print(self, experiment: Experiment, audit: Audit) -> None:
        self.stdout.write(f"{experiment.name} ({experiment.public_id})")
        self.stdout.write(f"  exposures recomputed in SQL: {audit.checked:,}")
        self.stdout.write(f"  differences: {audit.different:,}")
        self.stdout.write(f"  units seen with more than one variant: {audit.crossovers:,}")
        for difference in audit.differences:
            self.stdout.write(
                f"  {difference.unit_id}: {difference.fault}; stored variant {difference.stored_variant} "
                f"slot {difference.stored_slot}, drawn variant {difference.drawn_variant} "
                f"slot {difference.drawn_slot}"
            )


def _find(name: str) -> Experiment:
    found = list(Experiment.objects.filter(Q(public_id=name) | Q(key=name))[:2])
    if not found:
        raise CommandError(f"There is no experiment {name!r}. Give its id (exp_…), as on its page.")
    if len(found) > 1:
        raise CommandError(
            f"Several projects have an experiment {name!r}. Give its id (exp_…), as on its page."
        )
    return found[0]
