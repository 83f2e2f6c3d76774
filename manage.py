#!/usr/bin/env python
"""Strata's command line. The embedded servers are up before Django reads its settings."""

import os
import sys

from django.core.management import execute_from_command_line

from config import embedded, preflight
from core.errors import DomainError


def main() -> int:
    """Run one management command and return its exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        embedded.ensure()
        preflight.check_database(command=sys.argv[1] if len(sys.argv) > 1 else "help")
    except DomainError as error:
        print(f"strata: {error.message}", file=sys.stderr)
        return 1
    execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
