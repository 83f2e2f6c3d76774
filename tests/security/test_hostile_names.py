"""Names may hold anything: nothing of it runs on a page, in a picture, in a spreadsheet or in a mail."""

import csv
import io
import json
from collections.abc import Iterator
from email import message_from_bytes, policy

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.audit import SYSTEM
from accounts.models import Role
from analysis.charts import exposures_chart, forest_chart, to_png, to_svg
from analysis.forest import ForestPanel, ForestRow
from analysis.models import DeliveryState, ReportDelivery, ReportKind, ReportRecipient
from analysis.reports.message import build_message
from analysis.services import add_recipient, order_reports, order_test_report
from analysis.tasks import send_due_reports
from core.errors import DomainError
from tests.factories import make_key
from tests.security.markup import is_formula, read_html, svg_faults
from tests.security.routes import MANAGE, PAGES, PRIVACY
from tests.security.tenants import Names, Tenant, build_tenant

CORPUS = {
    "element": "<script>alert(1)</script><x-evil>",
    "attribute": "\"><img src=x onerror=alert(1)><x-evil a='",
    "quote": "' autofocus onfocus=alert(1) x='",
    "closing": "</title></textarea></option></script><svg onload=alert(1)><x-evil>",
    "comment": "--><x-evil><!-- ]]> <![CDATA[",
    "template": "{{ 7|add:7 }} {% debug %} ${7*7} #{7*7} <%= 7*7 %>",
    "link": "javascript:alert(1)//",
    "entities": "&lt;x-evil&gt; &#60;x-evil&#62; &amp;lt;x-evil>",
    "equals": "=cmd|'/c calc'!A1",
    "plus": "+1+cmd",
    "minus": "-2+3+cmd",
    "at": "@SUM(1+1)*cmd",
    "tab": "\t=1+1",
    "return": "\r=1+1",
    "header": "Report\r\nBcc: evil@example.com\r\n\r\n<x-evil>",
    "line feed": "Report\nX-Evil: yes",
    "bidi": "\u202egnp.exe\u2066 \u200b\ufeff",
    "astral": "\U0001f4a9\u0301\u0301 \U000e0041 \ufffd",
    "separator": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "traversal": "../../etc/passwd%00.html",
    "expression": '\\" + warn(1) + "',
    "format": "%s%n{0}{x.__class__} %(a)s",
}
MAILS = {"analysis:mail-html", "analysis:report-preview"}
READ = [name for name, page in PAGES.items() if page.get is not None]
# Several texts make one name, so that fewer worlds are built; formulas count at the start only, so each has its name.
JOINED = [
    ["element", "attribute", "quote"], ["closing", "comment"], ["template", "format"],
    ["link", "traversal", "entities"], ["bidi", "astral", "separator"], ["header"], ["line feed"], ["expression"],
]  # fmt: skip
APART = [["equals", "plus", "minus"], ["at", "tab", "return"]]


def names_of(group: list[str]) -> Names:
    """Return the names of a world: metric, segment and variant differ where the texts must stand apart."""
    if group in JOINED:
        return Names(**dict.fromkeys(Names.__dataclass_fields__, " ".join(CORPUS[key] for key in group)))
    first, second, third = (CORPUS[key] for key in group)
    return Names(**dict.fromkeys(Names.__dataclass_fields__, first) | {"segment": second, "variant": third})


def test_every_text_is_in_a_world() -> None:
    assert sorted(key for group in JOINED + APART for key in group) == sorted(CORPUS)


@pytest.fixture(scope="module", params=JOINED + APART, ids="-".join)
def hostile(request: pytest.FixtureRequest, database: None) -> tuple[str, Tenant]:
    """A tenant whose names are hostile, and the one of its experiments."""
    group: list[str] = request.param
    names = names_of(group)
    return names.experiment, build_tenant(f"own-{group[0].replace(' ', '-')}", names=names)


def answers(tenant: Tenant) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, media type and content of every page, as somebody sees it who may."""
    for name in READ:
        page, client = PAGES[name], Client()
        role = Role.PRIVACY_OFFICER if page.get == PRIVACY else Role.ADMIN
        client.force_login(tenant.members[role])
        answer = client.get(reverse(name, args=[tenant.slug, *page.names(tenant)]))
        assert answer.status_code == 200, name
        yield name, answer.headers["Content-Type"].partition(";")[0], answer.content


def test_nothing_of_a_hostile_name_runs_and_pages_show_it_as_it_is(hostile: tuple[str, Tenant]) -> None:
    text, tenant = hostile
    shown = set()
    for name, kind, content in answers(tenant):
        body = content.decode() if kind != "message/rfc822" else ""
        if kind == "text/html":
            faults, words = read_html(body, is_mail=name in MAILS)
            assert not faults, f"{name}: {faults}"
            if " ".join(text.split()) in " ".join(words.split()):
                shown.add(name)
        if kind == "image/svg+xml":
            assert not svg_faults(body), name
        if kind == "application/json":
            json.loads(body)
        if kind == "text/csv":
            assert not [cell for row in csv.reader(io.StringIO(body)) for cell in row if is_formula(cell)]
    # Escaped once, not twice, and not evaluated: what people typed is what they read.
    assert {"experiments:list", "experiments:metrics", "experiments:detail"} <= shown


def test_a_report_has_one_line_a_header_whatever_the_names(hostile: tuple[str, Tenant]) -> None:
    _, tenant = hostile
    raw = build_message(tenant.mail).message().as_bytes()
    message = message_from_bytes(raw, policy=policy.default)
    assert set(message.keys()) <= HEADERS
    assert all("\n" not in str(value) and "\r" not in str(value) for value in message.values())
    assert str(message["To"]) == tenant.recipient.email
    html = message.get_body(("html",))
    assert html is not None
    faults, _ = read_html(html.get_content(), is_mail=True)
    assert not faults


HEADERS = {
    "Content-Type", "MIME-Version", "Subject", "From", "To", "Date", "Message-ID", "List-Unsubscribe",
    "List-Unsubscribe-Post", "Auto-Submitted", "X-Strata-Run", "Content-Transfer-Encoding", "Reply-To",
}  # fmt: skip


@pytest.fixture(scope="module")
def plain(database: None) -> Tenant:
    return build_tenant("plain")


NEW_OBJECTS = {
    "segments": {"key": "fresh", "name": "?", "rationale": "?", "rule": {"attribute": "plain_country", "op": "exists"}},
    "flags": {"key": "fresh", "name": "?", "description": "?", "type": "string", "default_value": "?"},
    "metrics": {"key": "fresh", "name": "?", "description": "?", "kind": "count", "event_name": "?", "unit_label": "x"},
    "attributes": {"key": "fresh", "type": "string", "description": "?", "purpose": "?"},
    "experiments": {
        "name": "?", "hypothesis": "?", "note": "?", "new_flag": {"key": "fresh.flag", "type": "string", "name": "?"},
        "variants": [{"key": "a", "name": "?", "value": "?"}, {"key": "b", "name": "?", "value": "?"}],
    },
}  # fmt: skip


@pytest.mark.parametrize("text", [*CORPUS.values(), "\x00", "\ud800", "x\x00y"], ids=ascii)
@pytest.mark.parametrize("kind", NEW_OBJECTS)
def test_a_hostile_name_sent_to_the_api_is_stored_as_it_is_or_refused(
    plain: Tenant, kind: str, text: str
) -> None:
    body = json.dumps(NEW_OBJECTS[kind]).replace('"?"', json.dumps(text))
    headers = {"Authorization": f"Bearer {make_key(plain.environment)}"}
    answer = Client().post(f"/api/v1/{kind}", body, content_type="application/json", headers=headers)
    assert answer.status_code in {201, 400, 422}
    if answer.status_code == 201 and "name" in answer.json():
        assert answer.json()["name"] in {text, text.strip()}


ADDRESSES = [
    "a@example.com\r\nBcc: evil@example.com", "a@example.com\nBcc: evil@example.com", "a@example.com,b@example.com",
    "a@example.com;b@example.com", "A <a@example.com>", "<script>alert(1)</script>@example.com", "a@example.com\x00",
    "a@[127.0.0.1]", "\"a\r\nBcc: evil\"@example.com", "\"<x-evil>\"@example.com", "=cmd@example.com",
    "a@ex\u00e4mple.com", "a@example.com\u202e", "\u202ea@example.com", "a" * 400 + "@example.com",
]  # fmt: skip


def test_a_picture_takes_every_character_that_a_name_may_hold() -> None:
    odd = [
        *range(1, 0x21),
        *range(0x7F, 0xA1),
        0x200B,
        0x2028,
        0x2029,
        0x202E,
        0xFDD0,
        0xFEFF,
        0xFFFE,
        0xFFFF,
    ]
    name = "".join(map(chr, [*odd, 0x1FFFE, 0xE0041, 0x10FFFF])) + CORPUS["expression"] + "\\"
    rows = tuple(
        ForestRow(text, 0.1, -0.1, 0.3, "●", "unclear", text, is_overall)
        for text, is_overall in ((name, True), (f"{name}b", False))
    )
    panels = (ForestPanel(name, rows, -0.2, 0.4),)
    days = [{"day": "2026-01-01", "variant": text, "units": 3} for text in (name, f"{name}b")]
    charts = [
        forest_chart(panels, f"lift of {name} (%)", "light", is_narrow=narrow) for narrow in (True, False)
    ]
    for chart in [*charts, exposures_chart(days, [name, f"{name}b"], "light")]:
        assert not svg_faults(to_svg(chart))
        assert to_png(chart).startswith(b"\x89PNG")


def test_a_report_that_cannot_be_written_fails_alone(plain: Tenant) -> None:
    poison = ReportRecipient.objects.create(experiment=plain.measured, email="a@example.com\u202e")
    order_reports(run=plain.run, kind=ReportKind.PROGRESS, now=timezone.now())
    send_due_reports()
    states = dict(ReportDelivery.objects.filter(kind=ReportKind.PROGRESS).values_list("recipient", "state"))
    assert states == {poison.pk: DeliveryState.FAILED, plain.recipient.pk: DeliveryState.SENT}
    assert mail.outbox[-1].recipients() == [plain.recipient.email]


@pytest.mark.parametrize("address", ADDRESSES, ids=ascii)
def test_a_hostile_address_is_refused_or_stays_one_recipient(plain: Tenant, address: str) -> None:
    client = Client()
    client.force_login(plain.members[Role.ADMIN])
    assert PAGES["analysis:recipient-add"].post == MANAGE
    page = reverse("analysis:recipient-add", args=[plain.slug, plain.measured.key])
    answer = client.post(page, {"email": address}, follow=True)
    assert answer.status_code in {200, 422}
    assert not read_html(answer.content.decode())[0]
    try:
        recipient = add_recipient(experiment=plain.measured, email=address, actor=SYSTEM)
    except DomainError:
        return
    delivery = order_test_report(run=plain.run, email=recipient.email, actor=SYSTEM, now=timezone.now())
    build_message(delivery).send()
    assert mail.outbox[-1].recipients() == [recipient.email]
    raw = mail.outbox[-1].message().as_bytes()
    assert b"\nBcc:" not in raw.replace(b"\r", b"")
    assert set(message_from_bytes(raw, policy=policy.default).keys()) <= HEADERS
