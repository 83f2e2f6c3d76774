"""The form for metrics."""

from typing import Any

from django import forms

from experiments.forms.fields import NumberField
from experiments.models import Direction, Metric, MetricKind


class MetricForm(forms.Form):
    name = forms.CharField(max_length=120)
    key = forms.SlugField(
        max_length=60, help_text="For programs and addresses, such as purchase-rate. It is fixed."
    )
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    kind = forms.ChoiceField(choices=MetricKind, label="What is counted")
    event_name = forms.CharField(
        max_length=100, label="Event", help_text="The name that the app sends, such as purchase."
    )
    window_days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=3650,
        label="Window in days",
        help_text="Counted from the unit's first exposure. Empty: until the experiment ends.",
    )
    cap = NumberField(
        required=False, help_text="A unit counts as this at most, so that a few extreme units do not decide."
    )
    direction = forms.ChoiceField(choices=Direction, label="Which way is good")
    unit_label = forms.CharField(
        max_length=20, required=False, label="Unit", help_text="Printed after a value, such as visits."
    )

    def __init__(self, *args: Any, metric: Metric | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if metric is not None:
            del self.fields["key"]
