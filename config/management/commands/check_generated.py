"""Say whether everything that is generated and committed is up to date: migrations and the OpenAPI document."""

import difflib
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

DIFFERENCE_LINES_SHOWN = 40


class Command(BaseCommand):
    help = __doc__

    def handle(self, **options: Any) -> None:
        try:
            call_command("makemigrations", check=True, dry_run=True, verbosity=1)
        except SystemExit as stop:
            raise CommandError(
                "Models and migrations differ. Run `python manage.py makemigrations`."
            ) from stop
        self._check_api_document(settings.BASE_DIR / "docs" / "openapi.yaml")
        self.stdout.write("Migrations and docs/openapi.yaml are up to date.")

    def _check_api_document(self, committed: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder, "openapi.yaml")
            call_command("spectacular", validate=True, fail_on_warn=True, file=str(fresh))
            new = fresh.read_text(encoding="utf-8").splitlines()
        old = committed.read_text(encoding="utf-8").splitlines() if committed.exists() else []
        difference = list(difflib.unified_diff(old, new, "committed", "generated", lineterm=""))
        if difference:
            self.stdout.write("\n".join(difference[:DIFFERENCE_LINES_SHOWN]))
            raise CommandError("docs/openapi.yaml does not describe the API as it is. Run `make openapi`.")
