"""A site as its users reach it: the API with a key, pages with a session, an app with an SDK key."""

import html
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.journey.waiting import until
from tests.paths import REPO

OWNER = "owner@example.com"
PROJECT = "web-shop"
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one manage.py command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=REPO,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def manage_json(environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    """Run a command that must succeed with --json and return what it printed."""
    done = manage(environment, *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@dataclass
class Site:
    """One running Strata with an owner, a project `web-shop` and its keys."""

    url: str
    password: str
    api_key: str
    app_key: str
    browser: requests.Session = field(default_factory=requests.Session)

    @classmethod
    def set_up(cls, url: str, environment: dict[str, str]) -> "Site":
        """Make owner, project and keys as an operator does, on the command line."""
        owner = manage_json(environment, "owner_create", OWNER, "--project", "Web shop")
        assert owner["project"] == PROJECT
        api, app = (
            manage_json(environment, "key_create", PROJECT, "--kind", kind, "--role", "admin")["secret"]
            for kind in ("api", "sdk_server")
        )
        return cls(url, owner["password"], api, app)

    def api(self, method: str, path: str, body: Any = None, *, status: int = 200) -> dict[str, Any]:
        """Call /api/v1/… with the API key; fail, showing the problem, on any other status."""
        return self._call(self.api_key, method, path, body, status)

    def app(self, path: str, body: Any, *, status: int = 202) -> dict[str, Any]:
        """Post to /api/v1/… with the key of an app."""
        return self._call(self.app_key, "POST", path, body, status)

    def send(self, path: str, body: Any) -> requests.Response:
        """Post as an app and return the answer, whatever it is."""
        return requests.post(
            f"{self.url}/api/v1/{path}", json=body, headers={"X-API-Key": self.app_key}, timeout=60
        )

    def evaluate(self, flag: str, unit_id: str, **attributes: Any) -> requests.Response:
        """Ask for one flag over OFREP and return the answer, whatever it is."""
        return requests.post(
            f"{self.url}/ofrep/v1/evaluate/flags/{flag}",
            json={"context": {"targetingKey": unit_id, **attributes}},
            headers={"X-API-Key": self.app_key},
            timeout=60,
        )

    def log_in(self) -> None:
        page = self.post_page("/login/", username=OWNER, password=self.password, form_page="/login/")
        assert page.status_code == 200
        assert "/login/" not in page.url, "the login was refused"

    def page(self, path: str) -> str:
        """Return the HTML of a page that must be there, its entities resolved."""
        answer = self.browser.get(f"{self.url}{path}", timeout=60)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return html.unescape(answer.text)

    def post_page(self, path: str, *, form_page: str, **fields: str) -> requests.Response:
        """Submit a form that stands on `form_page`, as a browser does."""
        token = _TOKEN.search(self.browser.get(f"{self.url}{form_page}", timeout=60).text)
        assert token is not None, f"{form_page} has no form"
        return self.browser.post(
            f"{self.url}{path}", data={**fields, "csrfmiddlewaretoken": token[1]}, timeout=60
        )

    def analysed(self, experiment: str, *, since: str) -> dict[str, Any]:
        """Order analyses until one has taken in all that was received by `since`; return its run."""
        return until(lambda: self._run_after(experiment, since), "an analysis with all data")

    def _run_after(self, experiment: str, since: str) -> dict[str, Any] | None:
        ordered = self.api("POST", f"experiments/{experiment}/analyse", status=202)
        job = until(lambda: self._settled(ordered["id"]), "the worker to finish the analysis")
        assert job["state"] == "done", job["error"]
        run = self.api("GET", f"runs/{job['run']}")
        return run if run["watermark"] > since else None

    def _settled(self, job_id: str) -> dict[str, Any] | None:
        job = self.api("GET", f"jobs/{job_id}")
        return job if job["state"] != "due" else None

    def _call(self, key: str, method: str, path: str, body: Any, status: int) -> dict[str, Any]:
        answer = requests.request(
            method,
            f"{self.url}/api/v1/{path}",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
            timeout=60,
        )
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        document: dict[str, Any] = answer.json() if answer.content else {}
        return document
