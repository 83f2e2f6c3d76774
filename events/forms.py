"""Forms of the attribute pages."""

from typing import Any

from django import forms

from core.errors import DomainError
from core.problem import problems_of
from events.models import AttributeType, Sensitivity, Subject

SENSITIVITY_HELP = (
    "None: says nothing of a person. Personal: about a person. Special: health, beliefs, origin and the like. "
    "Proxy: can stand in for a special one, such as a postcode."
)


class AttributeChangeForm(forms.Form):
    """What can change of a registered attribute."""

    purpose = forms.CharField(max_length=200, help_text="What it is needed for, in one sentence.")
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), max_length=2_000)
    sensitivity = forms.ChoiceField(choices=Sensitivity.choices, help_text=SENSITIVITY_HELP)
    retention_days = forms.IntegerField(
        min_value=1,
        max_value=3_650,
        initial=365,
        label="Retention in days",
        help_text="A value that was not sent again for this long is removed.",
    )

    def keep_only(self, names: tuple[str, ...]) -> None:
        """Show the fields that a role may not change, without letting it."""
        for name, field in self.fields.items():
            if name not in names:
                field.disabled = True
                field.help_text = f"{field.help_text} Only the privacy officer changes this.".strip()

    def explain(self, error: DomainError) -> None:
        """Show a refusal of the service at the fields it speaks of."""
        for problem in problems_of(error):
            name = problem.pointer.strip("/")
            self.add_error(name if name in self.fields else None, problem.detail)


class AttributeForm(AttributeChangeForm):
    """A new attribute."""

    field_order = ("subject", "key", "type", "purpose", "description", "sensitivity", "retention_days")

    subject = forms.ChoiceField(
        choices=[(Subject.PROFILE, "Profiles"), (Subject.EVENT, "Properties of events")],
        label="Field of",
        help_text="Profiles describe a unit; properties describe one event.",
    )
    key = forms.CharField(
        max_length=60,
        help_text="As your app sends it, such as country or signup_date. It cannot change later.",
    )
    type = forms.ChoiceField(choices=AttributeType.choices, help_text="It cannot change later.")

    def service_fields(self) -> dict[str, Any]:
        """Return the cleaned values under the names that `register_attribute` takes."""
        fields = dict(self.cleaned_data)
        fields["value_type"] = fields.pop("type")
        return fields
