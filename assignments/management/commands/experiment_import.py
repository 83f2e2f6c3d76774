"""`manage.py experiment_import`: bring in a past A/B test from a CSV or Parquet file."""

from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.audit import Actor
from accounts.models import Environment
from assignments.import_mapping import parse_mapping
from assignments.import_rows import check_rows, read_table
from assignments.import_setup import Description
from assignments.importing import import_experiment, import_profiles
from core.errors import DomainError, InvalidInput

ACTOR = Actor(label="command line: experiment_import")


class Command(BaseCommand):
    help = "Import an experiment that was randomised elsewhere: one row per unit, with a JSON column mapping."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a .csv or .parquet file")
        parser.add_argument("--mapping", type=Path, required=True, help="JSON; docs/import.md has the fields")
        parser.add_argument("--project", required=True, help="slug of the project")
        parser.add_argument("--environment", default="production", help="slug of the environment")
        parser.add_argument("--key", default="", help="key of the experiment")
        parser.add_argument("--name", default="")
        parser.add_argument("--hypothesis", default="Imported; the hypothesis was not recorded.")
        parser.add_argument("--note", default="", help="shown on every result page and mail")
        parser.add_argument(
            "--mde", type=float, default=0.05, help="relative effect worth finding (0.05 = 5 %%)"
        )
        parser.add_argument(
            "--profiles-only", action="store_true", help="store the profiles, to build segments on"
        )
        parser.add_argument("--dry-run", action="store_true", help="check everything, write nothing")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = self._run(options)
        except InvalidInput as error:
            faults = "\n".join(f"  {problem.detail}" for problem in error.problems)
            raise CommandError(
                f"Nothing was imported. Mend this and run the command again:\n{faults}"
            ) from error
        except DomainError as error:
            raise CommandError(f"Nothing was imported. {error.message}") from error
        self.stdout.write(orjson.dumps(result).decode() if options["json"] else _words(result, options))

    def _run(self, options: dict[str, Any]) -> dict[str, Any]:
        environment = _environment(options["project"], options["environment"])
        table = read_table(options["file"])
        mapping = parse_mapping(_read_mapping(options["mapping"]), table.column_names)
        rows = check_rows(table, mapping)
        if options["dry_run"]:
            return {"dry_run": True, "units": len(rows.rows), "variants": list(rows.variants)}
        if options["profiles_only"]:
            changed = import_profiles(environment=environment, mapping=mapping, rows=rows, actor=ACTOR)
            return {"units": len(rows.rows), "profiles": changed}
        if not options["key"]:
            raise DomainError("Give the experiment a --key, for example --key checkout-2024.")
        about = Description(
            key=options["key"],
            name=options["name"] or options["key"].replace("-", " ").capitalize(),
            hypothesis=options["hypothesis"],
            note=options["note"],
            mde=options["mde"],
        )
        done = import_experiment(
            environment=environment, mapping=mapping, rows=rows, about=about, actor=ACTOR
        )
        return {
            "units": len(rows.rows),
            "experiment": options["key"],
            "profiles": done.profiles,
            "exposures": done.exposures,
            "events": done.events,
        }


def _environment(project: str, environment: str) -> Environment:
    found = (
        Environment.objects.select_related("project").filter(project__slug=project, slug=environment).first()
    )
    if found is None:
        known = ", ".join(
            f"{e.project.slug}/{e.slug}" for e in Environment.objects.select_related("project")[:20]
        )
        raise DomainError(
            f"There is no environment {project}/{environment}. There are: {known or 'none yet'}."
        )
    return found


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise DomainError(f"The mapping {path} cannot be read as JSON: {error}.") from error
    if not isinstance(document, dict):
        raise DomainError(f"The mapping {path} must be a JSON object.")
    return document


def _words(result: dict[str, Any], options: dict[str, Any]) -> str:
    if result.get("dry_run"):
        return f"{result['units']:,} units in {len(result['variants'])} arms can be imported. Nothing was written."
    if "experiment" not in result:
        return f"{result['profiles']:,} of {result['units']:,} profiles were stored or changed."
    return (
        f"{result['units']:,} units read: {result['profiles']:,} profiles, {result['exposures']:,} exposures and "
        f"{result['events']:,} events are new.\nNext: manage.py experiment_analyse {result['experiment']}"
    )
