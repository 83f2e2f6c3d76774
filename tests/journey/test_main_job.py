"""The main job once, as its people do it: segment, experiment, app, events, analysis, page, mail, unsubscribe."""

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
import requests
from openfeature import api as openfeature

from config.demo.app import BOOKED, CALLED, DEFAULT, FLAG, DemoApp, Person, Truth
from experiments.models import Experiment
from tests.journey.mailbox import Mailbox, numbers_of, words_of
from tests.journey.site import OWNER, PROJECT, Site, manage
from tests.journey.waiting import until

PEOPLE = 960
MEMBERS = 720
BOSS = "boss@elsewhere.example"
TRUTH = Truth(booked_without=0.25, lift_chronically_ill=0.20, lift_others=0.20)
MAX_HTML_BYTES = 90_000
# With the salt all is drawn from seeds: who is shown what and who books are the same in every run of this test.
SALT = "a-salt-for-the-journey"

pytestmark = pytest.mark.slow


@pytest.fixture
def app(site: Site) -> Iterator[DemoApp]:
    """The demo's app: the real OpenFeature client with its OFREP provider, and HTTP."""
    yield DemoApp(site.url, site.app_key)
    openfeature.clear_providers()


def people() -> list[Person]:
    """Everybody with the attribute that the segment asks for; one in four is not a member."""
    members = [i < MEMBERS for i in range(PEOPLE)]
    return [
        Person(f"person-{i}", {"member": member, "age": 20 + i % 60}, chronically_ill=False)
        for i, member in enumerate(members)
    ]


def describe_people(site: Site) -> None:
    for key, kind in (("member", "boolean"), ("age", "number")):
        field = {"key": key, "type": kind, "purpose": "who gets the letter"}
        site.api("POST", "attributes", field, status=201)
    rows = [{"unit_id": p.unit_id, "attributes": p.attributes} for p in people()]
    for start in range(0, len(rows), 500):
        answer = site.app("profiles", {"profiles": rows[start : start + 500]}, status=200)
        assert answer["rejected"] == 0


def make_segments(site: Site) -> dict[str, str]:
    """Make two segments and wait until the worker knows who is in them; return their ids by key."""
    rules = {
        "members": {"attribute": "member", "op": "eq", "value": True},
        "young": {"attribute": "age", "op": "lt", "value": 40},
    }
    sizes = {"members": MEMBERS, "young": PEOPLE // 3}
    made = {}
    for key, rule in rules.items():
        document = {"key": key, "name": key.capitalize(), "rationale": "A journey.", "rule": rule}
        made[key] = site.api("POST", "segments", document, status=201)["id"]
    for key, segment in made.items():
        size = until(lambda s=segment: _size(site, s), f"the membership of {key}")  # type: ignore[misc]
        assert size == sizes[key]
    return made


def _size(site: Site, segment: str) -> int | None:
    size: int | None = site.api("GET", f"segments/{segment}/refresh")["size"]
    return size


def launch_experiment(site: Site, segments: dict[str, str]) -> str:
    """Make flag, metrics, plan and experiment on the segment, and start it; return its id."""
    flag = {"key": FLAG, "type": "string", "default_value": DEFAULT}
    metrics = [
        {"key": "booked", "name": "Check-up booked", "kind": "conversion", "event_name": BOOKED},
        {
            "key": "called",
            "name": "Calls",
            "kind": "conversion",
            "event_name": CALLED,
            "direction": "decrease",
        },
    ]
    booked, called = (site.api("POST", "metrics", metric, status=201)["id"] for metric in metrics)
    draft = {
        "name": "Reminder letter",
        "key": "reminder-letter",
        "hypothesis": "A letter makes more people book, because it says why.",
        "flag": site.api("POST", "flags", flag, status=201)["id"],
        "variants": [{"key": DEFAULT, "value": DEFAULT}, {"key": "letter", "value": "letter"}],
        "targets": [{"segment": segments["members"]}],
        "metrics": [
            {"metric": booked, "role": "primary", "baseline_mean": 0.25},
            {"metric": called, "role": "guardrail", "margin": 0.5, "baseline_mean": 0.25},
        ],
        "plan": {"mde": 0.4, "planned_n": 800, "stopping_rule": "always_valid"},
        "breakdowns": [segments["young"]],
    }
    experiment: str = site.api("POST", "experiments", draft, status=201)["id"]
    assert Experiment.objects.filter(public_id=experiment, status="draft").update(salt=SALT) == 1
    check = site.api("GET", f"experiments/{experiment}/launch-check")
    assert check["can_start"], check["findings"]
    assert site.api("POST", f"experiments/{experiment}/start")["status"] == "running"
    return experiment


def now() -> str:
    return datetime.now(UTC).isoformat()


def test_the_main_job_from_segment_to_unsubscribe(
    site: Site,
    app: DemoApp,
    mailbox: Mailbox,
    celery_worker: "subprocess.Popen[str]",
    process_environment: dict[str, str],
) -> None:
    describe_people(site)
    experiment = launch_experiment(site, make_segments(site))
    until(lambda: _is_published(app), "the launch to reach the web process")

    before = [app.ask(person).variant for person in people()]
    tally = app.serve(people(), TRUTH)
    assert tally.exposures_stored == sum(tally.by_variant.values()) == MEMBERS
    assert [app.ask(person).variant for person in people()] == before

    run = site.analysed(experiment, since=now())
    check_numbers(run["result"], tally.by_variant)

    site.log_in()
    results = site.page(f"/p/{PROJECT}/experiments/reminder-letter/results/")
    assert run["sentence"] in results

    site.api("POST", f"experiments/{experiment}/recipients", {"email": BOSS}, status=201)
    reports = f"/p/{PROJECT}/experiments/reminder-letter/reports/"
    assert "listed below" in site.post_page(f"{reports}test/", form_page=reports).text
    until(lambda: mailbox.messages, "the test report")
    sent = manage(process_environment, "report_send", "reminder-letter")
    assert sent.returncode == 0, sent.stderr
    assert [recipients for recipients, _ in mailbox.messages] == [(OWNER,), (BOSS,)]

    for _, message in mailbox.messages:
        check_mail(message, run)
    unsubscribe_and_stay_away(site, mailbox, experiment, process_environment)


def _is_published(app: DemoApp) -> bool:
    return "experiment" in app.ask(people()[0]).metadata


def check_numbers(result: dict[str, Any], by_variant: dict[str, int]) -> None:
    """The split is sound, nobody saw two variants, and both declared effects lie in their intervals."""
    health = result["health"]
    assert health["units"] == MEMBERS
    assert health["split"]["p_value"] > 0.0005
    assert health["split"]["observed"] == [by_variant[DEFAULT], by_variant["letter"]]
    assert (health["crossover_units"], health["problems"]) == (0, [])
    booked, called = result["metrics"]
    effect = booked["effects"][0]["comparison"]["absolute"]
    assert 0 < effect["low"] < TRUTH.lift_others < effect["high"] < 0.4
    nothing = called["effects"][0]["comparison"]["absolute"]
    assert nothing["low"] < 0 < nothing["high"]
    members, young = result["segments"][0]["rows"]
    assert (members["segment"]["name"], sum(members["units"])) == ("Members", MEMBERS)
    assert young["segment"]["name"] == "Young"


def check_mail(message: EmailMessage, run: dict[str, Any]) -> None:
    """multipart/related(alternative(text, html), png), with every number in the text as well."""
    assert message.get_content_type() == "multipart/related"
    assert run["sentence"].split(":")[0] in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    text, page = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    assert len(page.encode()) < MAX_HTML_BYTES
    missing = numbers_of(words_of(page)) - numbers_of(text)
    assert not missing, f"the text part lacks {missing}"
    (picture,) = (part for part in message.walk() if part.get_content_type() == "image/png")
    assert picture.get_content().startswith(b"\x89PNG")
    assert f"cid:{picture['Content-ID'].strip('<>')}" in page
    assert not re.search(r'src="https?:', page), "a remote picture would tell who reads the mail"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def unsubscribe_and_stay_away(
    site: Site, mailbox: Mailbox, experiment: str, environment: dict[str, str]
) -> None:
    """The link of the header works by POST without cookie or login, and the next report goes to nobody."""
    link = mailbox.sent_to(BOSS)[0]["List-Unsubscribe"].strip(" <>")
    assert link.startswith(site.url)
    assert requests.post(link, data={"List-Unsubscribe": "One-Click"}, timeout=60).status_code == 200
    assert site.api("GET", f"experiments/{experiment}/recipients")["data"] == []
    site.analysed(experiment, since=now())
    ordered = manage(environment, "report_send", "reminder-letter")
    assert (ordered.returncode, len(mailbox.messages)) == (1, 2)
    assert "has no recipients" in ordered.stderr
