"""Run Strata on this machine: web, worker and beat, until Ctrl-C."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from config.preflight import check_database
from config.serving import add_serving_arguments, serve
from core.errors import DomainError


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--migrate", action="store_true", help="bring the database up to date first")
        add_serving_arguments(parser)

    def handle(self, **options: Any) -> None:
        try:
            if options["migrate"]:
                check_database(command="migrate")
                call_command("migrate", verbosity=0)
            code = serve(options, say=self._say)
        except DomainError as error:
            raise CommandError(error.message) from error
        if code:
            raise CommandError("Strata did not start.", returncode=code)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
