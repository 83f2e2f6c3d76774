"""Forms for flags."""

from typing import Any

from django import forms

from experiments.forms.fields import VALUE_HELP, FlagValueField, value_field
from experiments.models import FLAG_KEY, Flag, FlagType


class FlagForm(forms.Form):
    """What can be said of a flag at any time."""

    name = forms.CharField(max_length=120, required=False, help_text="For people. Empty: the key.")
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    default_value = FlagValueField(
        required=False,
        help_text="Served when no experiment takes the unit, and whenever something goes wrong.",
    )
    enabled = forms.BooleanField(
        required=False, label="Switched on", help_text="Off: everyone gets the default value at once."
    )
    auto_exposure = forms.BooleanField(
        required=False,
        label="Count a single evaluation as an exposure",
        help_text="Only for apps that evaluate exactly when they show the variant.",
    )


class NewFlagForm(FlagForm):
    """The same with the key and type, which never change."""

    key = forms.CharField(
        max_length=100,
        validators=[FLAG_KEY],
        help_text="What code asks for, such as checkout.cta. It is fixed.",
    )
    type = forms.ChoiceField(choices=FlagType, help_text="What kind of value code gets. It is fixed.")

    field_order = ("key", "type", "name", "description", "default_value", "enabled", "auto_exposure")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        flag_type = self.data.get("type", "") if self.is_bound else ""
        value = value_field(self, "default_value")
        value.use_type(flag_type if flag_type in FlagType.values else FlagType.BOOLEAN)
        value.help_text += " Boolean flags: true or false; object flags: JSON."


class EditFlagForm(FlagForm):
    def __init__(self, *args: Any, flag: Flag, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        value = value_field(self, "default_value")
        value.use_type(flag.type)
        value.help_text += f" {VALUE_HELP[flag.type]}"
