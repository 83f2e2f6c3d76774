"""Load the demo, walk through it with a real worker, print the verdicts, then serve until Ctrl-C."""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from config.demo.walk import Told, walk
from config.demo.workspace import Workspace, build
from config.serving import add_serving_arguments, serve
from core.errors import DomainError


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_serving_arguments(parser)
        parser.add_argument("--no-serve", action="store_true", help="exit once the reports are written")
        parser.add_argument("--no-progress", action="store_true", help="no progress bars")

    def handle(self, **options: Any) -> None:
        call_command("migrate", verbosity=0)
        console = Console(stderr=True)
        try:
            with console.status("Loading the RAND Health Insurance Experiment …"):
                workspace = build()
        except DomainError as error:
            raise CommandError(error.message) from error
        self._say_login(workspace)

        def tour(url: str) -> bool:
            with bars(console, hidden=options["no_progress"]) as progress:
                told = walk(workspace, url, progress)
            self._say_results(told, workspace, url)
            return not options["no_serve"]

        code = serve(options, say=self._say, tour=tour)
        if code:
            raise CommandError("The demo did not finish.", returncode=code)

    def _say_login(self, workspace: Workspace) -> None:
        if workspace.password:
            self._say(f"Login: {workspace.owner.email}   password: {workspace.password}   (shown once)")
        else:
            self._say(f"Login: {workspace.owner.email}   (the password was printed on the first run)")

    def _say_results(self, told: list[Told], workspace: Workspace, url: str) -> None:
        for one in told:
            self._say("")
            self._say(f"{one.experiment.name}")
            self._say(f"  verdict: {one.run.sentence}")
            self._say(f"  report:  {one.mail or 'sent by mail'}")
            self._say(f"  page:    {url}/p/{workspace.project.slug}/experiments/{one.experiment.key}/results")
        self._say("")
        self._say(
            f"Mail viewer: {url}/p/{workspace.project.slug}/mail/   state folder: {settings.STRATA_HOME}"
        )

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


@contextmanager
def bars(console: Console, *, hidden: bool) -> Iterator[Any]:
    """Yield a function that shows progress as bars on a terminal, and is silent elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=hidden or not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def show(title: str, done: int, total: int) -> None:
            if title not in tasks:
                tasks[title] = progress.add_task(title, total=total)
            progress.update(tasks[title], completed=done, total=total)

        yield show
