"""The registry of pages: name → how to reach it in the world. A new page gets a line here."""

from collections.abc import Callable

from tests.browser.world import World

# Seen without a session.
PUBLIC: dict[str, Callable[[World], str]] = {
    "login": lambda w: "/login/",
    "spent link": lambda w: "/account/set-password/MQ/spent-token/",
}
# Seen by an admin of the project.
PRIVATE: dict[str, Callable[[World], str]] = {
    "projects": lambda w: "/projects/",
    "new project": lambda w: "/projects/new/",
    "account": lambda w: "/account/",
    "change password": lambda w: "/account/password/",
    "members": lambda w: w.url("accounts:members"),
    "add a member": lambda w: w.url("accounts:member-add"),
    "member": lambda w: w.url("accounts:member", w.member.pk),
    "keys": lambda w: w.url("accounts:keys"),
    "new key": lambda w: w.url("accounts:key-new"),
    "revoke a key": lambda w: w.url("accounts:key-revoke", w.key.public_id),
    "audit trail": lambda w: w.url("accounts:audit"),
    "settings": lambda w: w.url("accounts:settings"),
    "events": lambda w: w.url("events:overview"),
    "attributes": lambda w: w.url("events:attributes"),
    "new attribute": lambda w: w.url("events:attribute-new"),
    "segments": lambda w: w.url("segments:list"),
    "segment": lambda w: w.url("segments:detail", w.segment.key),
    "new segment": lambda w: w.url("segments:new"),
    "edit a segment": lambda w: w.url("segments:edit", w.segment.key),
    "describe a segment": lambda w: w.url("segments:details", w.segment.key),
    "test a unit": lambda w: w.url("segments:test", w.segment.key),
    "retire a segment": lambda w: w.url("segments:retire", w.segment.key),
    "flags": lambda w: w.url("experiments:flags"),
    "new flag": lambda w: w.url("experiments:flag-new"),
    "edit a flag": lambda w: w.url("experiments:flag-edit", w.measured.flag.key),
    "metrics": lambda w: w.url("experiments:metrics"),
    "new metric": lambda w: w.url("experiments:metric-new"),
    "experiments": lambda w: w.url("experiments:list"),
    "new experiment": lambda w: w.url("experiments:new"),
    "draft experiment": lambda w: w.url("experiments:detail", w.draft.key),
    "running experiment": lambda w: w.url("experiments:detail", w.running.key),
    "experiment history": lambda w: w.url("experiments:history", w.running.key),
    "set up variants": lambda w: w.url("experiments:setup-variants", w.draft.key),
    "set up targets": lambda w: w.url("experiments:setup-targets", w.draft.key),
    "set up metrics": lambda w: w.url("experiments:setup-metrics", w.draft.key),
    "set up the plan": lambda w: w.url("experiments:setup-plan", w.draft.key),
    "set up breakdowns": lambda w: w.url("experiments:setup-breakdowns", w.draft.key),
    "start": lambda w: w.url("experiments:start", w.draft.key),
    "pause": lambda w: w.url("experiments:pause", w.running.key),
    "complete": lambda w: w.url("experiments:complete", w.running.key),
    "overrides": lambda w: w.url("experiments:overrides", w.running.key),
    "open more traffic": lambda w: w.url("experiments:ramp", w.running.key, 0),
    "home": lambda w: w.url("analysis:home"),
    "report mails": lambda w: w.url("analysis:mail"),
    "results without a run": lambda w: w.url("analysis:results", w.running.key),
    "health without a run": lambda w: w.url("analysis:health", w.running.key),
    "adequacy": lambda w: w.url("analysis:adequacy", w.running.key),
    "results": lambda w: w.url("analysis:results", w.measured.key),
    "health": lambda w: w.url("analysis:health", w.measured.key),
    "adequacy while running": lambda w: w.url("analysis:adequacy", w.measured.key),
    "decide": lambda w: w.url("analysis:decide", w.measured.key),
    "reports without a run": lambda w: w.url("analysis:reports", w.running.key),
    "reports": lambda w: w.url("analysis:reports", w.measured.key),
    "report mail": lambda w: w.url("analysis:mail-show", w.mail.public_id),
}
# Answers that are errors, seen by an admin of the project.
ERRORS: dict[str, Callable[[World], str]] = {
    "not found": lambda w: "/nowhere/",
    "foreign project": lambda w: "/p/somewhere-else/members/",
}
