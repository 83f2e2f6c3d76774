"""`python -m config.embedded stop|remove`: end servers that a killed process left running, or delete their data."""

import argparse
import shutil
import sys

from config.embedded.account import server_home
from config.embedded.servers import default_home, hold
from core.errors import DomainError


def main() -> int:
    """Carry out one subcommand and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m config.embedded", description=__doc__)
    parser.add_argument("what", choices=["stop", "remove"])
    what = parser.parse_args().what
    home = default_home()
    if not home.exists():
        print(f"There is nothing in {home}.")
        return 0
    place = server_home(home)
    if not hold(home, database=False, broker=False).release():
        print(
            "Another process still uses the servers: stop it first (Ctrl-C where it runs).", file=sys.stderr
        )
        return 1
    print("The embedded servers are stopped.")
    if what == "remove":
        for folder in {place, home}:
            shutil.rmtree(folder)
        print(f"Removed {home} with all its data.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DomainError as error:
        sys.exit(f"strata: {error.message}")
