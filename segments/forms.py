"""Forms of the segments pages; the rule itself has its own rows (segments.builder)."""

import json
from typing import Any

from django import forms
from django.utils.text import slugify

from core import strict_json
from core.errors import DomainError
from segments.services.checking import MAX_REASON

REFRESH_CHOICES = ((5, "every 5 minutes"), (15, "every 15 minutes"), (60, "every hour"), (1440, "once a day"))


class SegmentForm(forms.Form):
    """What is said of a segment besides its rule."""

    name = forms.CharField(max_length=120, help_text="What people call these units, such as “New users”.")
    rationale = forms.CharField(
        max_length=5_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Why this group matters, and what you would do differently for it.",
    )
    refresh_minutes = forms.TypedChoiceField(
        label="Refreshed",
        choices=REFRESH_CHOICES,
        coerce=int,
        initial=60,
        help_text="How often membership is computed.",
    )

    def __init__(self, *args: Any, refresh_minutes: int = 60, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if refresh_minutes not in dict(REFRESH_CHOICES):
            own = (refresh_minutes, f"every {refresh_minutes:,} minutes")
            self.fields["refresh_minutes"].choices = [*REFRESH_CHOICES, own]  # type: ignore[attr-defined]


class NewSegmentForm(SegmentForm):
    """A segment that is not there yet."""

    key = forms.CharField(
        max_length=60, required=False, help_text="For code and addresses; made from the name when left empty."
    )
    unit_type = forms.CharField(
        max_length=30, initial="user", help_text="What the rule is about: user, device, account, …"
    )
    field_order = ("name", "key", "rationale", "unit_type", "refresh_minutes")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("key") and "key" not in self.errors and data.get("name"):
            data["key"] = slugify(data["name"])[:60].strip("-_")
        return data


class FactsForm(forms.Form):
    """The facts of a made-up unit."""

    attributes = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false"}),
        help_text='A JSON object, such as {"country": "DE", "age": 31}.',
    )
    events = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"}),
        help_text='A JSON list, such as [{"name": "purchase", "days_ago": 2, "value": 19.9}].',
    )

    def clean_attributes(self) -> dict[str, Any]:
        value = _read_json(self.cleaned_data["attributes"])
        if not isinstance(value, dict):
            raise forms.ValidationError('Write a JSON object in braces, such as {"country": "DE"}.')
        return value

    def clean_events(self) -> list[dict[str, Any]]:
        text = self.cleaned_data["events"].strip()
        value = _read_json(text) if text else []
        if not isinstance(value, list) or not all(_is_event(item) for item in value):
            raise forms.ValidationError(
                'Write a list of events, each with "name" and "days_ago" (0 to 36,500).'
            )
        return value


class StoredUnitForm(forms.Form):
    """A unit whose stored facts are looked at."""

    environment = forms.ChoiceField()
    unit_id = forms.CharField(max_length=256, label="Unit id", strip=False)
    reason = forms.CharField(max_length=MAX_REASON, help_text="Why you look; it is kept in the audit trail.")

    def __init__(self, *args: Any, environments: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["environment"].choices = environments  # type: ignore[attr-defined]


def _read_json(text: str) -> Any:
    try:
        return strict_json.loads(text.encode("utf-8", "surrogatepass"))
    except DomainError as error:
        raise forms.ValidationError(error.message) from error


def _is_event(item: object) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        return False
    days, value = item.get("days_ago"), item.get("value")
    is_number = not isinstance(value, bool) and isinstance(value, int | float)
    return (
        not isinstance(days, bool)
        and isinstance(days, int | float)
        and 0 <= days <= 36_500
        and (value is None or is_number)
        and isinstance(item.get("properties", {}), dict)
        and not item.keys() - {"name", "days_ago", "value", "properties"}
    )


def pretty(document: object) -> str:
    """Return JSON as it is edited."""
    return json.dumps(document, indent=2, ensure_ascii=False)
