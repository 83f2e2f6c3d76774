"""Forms of the results pages: a decision, recipients, the schedule, a test mail."""

from typing import Any

from django import forms

from analysis.models import ReportFrequency
from experiments.models import Decision, Experiment

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class DecisionForm(forms.Form):
    """What to do with an experiment, and why."""

    decision = forms.ChoiceField(choices=Decision.choices, widget=forms.RadioSelect)
    variant = forms.ChoiceField(
        required=False, help_text="Which variant is shipped; only for “Ship a variant”."
    )
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What the numbers say, what they do not, and who disagreed. The next team reads this.",
    )

    def __init__(self, *args: Any, experiment: Experiment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        treatments = [(v.key, v.name) for v in experiment.variants.all() if v.index > 0]
        self.fields["variant"].choices = [("", "–"), *treatments]  # type: ignore[attr-defined]


class RecipientForm(forms.Form):
    """One more address; it needs no account."""

    email = forms.EmailField(label="E-mail address", help_text="Anyone; no account is needed.")


class ScheduleForm(forms.Form):
    """When progress reports go out."""

    frequency = forms.ChoiceField(choices=ReportFrequency.choices, label="Progress reports")
    weekday = forms.TypedChoiceField(
        choices=list(enumerate(WEEKDAYS)), coerce=int, help_text="For weekly reports."
    )
    hour = forms.TypedChoiceField(choices=[(hour, f"{hour:02}:00") for hour in range(24)], coerce=int)
