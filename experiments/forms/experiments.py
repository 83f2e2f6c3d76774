"""Forms about an experiment as a whole: the short one that makes it, and those of its life."""

from typing import Any

from django import forms

from accounts.models import Environment, Project
from experiments.forms.fields import FlagValueField, PercentField, set_choices, set_rows, value_field
from experiments.models import FLAG_KEY, Decision, Experiment, Flag, FlagType, Target
from experiments.services import NewFlag, TargetInput, VariantInput
from segments.models import Segment, SegmentStatus

NEW_FLAG = ":new"  # no flag can have this key


class NewExperimentForm(forms.Form):
    """One short form; everything else is given on the set-up page."""

    name = forms.CharField(max_length=120)
    hypothesis = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), help_text="What do you expect to happen, for whom, and why?"
    )
    environment = forms.ModelChoiceField(
        queryset=Environment.objects.none(), to_field_name="slug", empty_label=None
    )
    unit_type = forms.CharField(max_length=30, initial="user", label="Unit: user, device, account …")
    segments = forms.ModelMultipleChoiceField(
        queryset=Segment.objects.none(),
        to_field_name="key",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Who takes part",
        help_text="Each segment becomes a target of its own. None: everyone.",
    )
    flag = forms.ChoiceField(help_text="What the app asks for, such as checkout.cta.")
    new_flag_key = forms.CharField(
        max_length=100,
        required=False,
        validators=[FLAG_KEY],
        label="Key of a new flag",
    )
    new_flag_type = forms.ChoiceField(choices=FlagType, required=False, label="Type of a new flag")
    control_key = forms.CharField(
        max_length=60, initial="control", validators=[FLAG_KEY], label="Control: key"
    )
    control_value = FlagValueField(
        initial="false",
        label="Control: value",
    )
    treatment_key = forms.CharField(
        max_length=60,
        initial="treatment",
        validators=[FLAG_KEY],
        label="Treatment: key",
    )
    treatment_value = FlagValueField(initial="true", label="Treatment: value")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_rows(self, "environment", project.environments.order_by("-is_production", "name"))
        set_rows(self, "segments", project.segments.filter(status=SegmentStatus.ACTIVE).order_by("name"))
        self.flags = {flag.key: flag for flag in project.flags.order_by("key")}
        set_choices(self, "flag", [(NEW_FLAG, "A new flag"), *((key, key) for key in self.flags)])
        if self.is_bound:
            self._use_type()

    def _use_type(self) -> None:
        flag = self.flags.get(self.data.get("flag", ""))
        wanted = flag.type if flag else self.data.get("new_flag_type", "")
        for name in ("control_value", "treatment_value"):
            value_field(self, name).use_type(wanted if wanted in FlagType.values else FlagType.STRING)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("flag") == NEW_FLAG:
            if not cleaned.get("new_flag_key") and "new_flag_key" not in self.errors:
                self.add_error("new_flag_key", "Choose a flag above, or give the new flag a key.")
            if not cleaned.get("new_flag_type") and "new_flag_type" not in self.errors:
                self.add_error("new_flag_type", "Say what kind of value the new flag has.")
        return cleaned

    def flag_choice(self) -> Flag | NewFlag:
        """Return the flag that was chosen, or the one to make."""
        data = self.cleaned_data
        return self.flags.get(data["flag"]) or NewFlag(data["new_flag_key"], data["new_flag_type"])

    def variants(self) -> list[VariantInput]:
        data = self.cleaned_data
        return [VariantInput(data[f"{arm}_key"], data[f"{arm}_value"]) for arm in ("control", "treatment")]

    def targets(self) -> list[TargetInput]:
        return [TargetInput(segment) for segment in self.cleaned_data["segments"]] or [TargetInput()]


class DescriptionForm(forms.Form):
    """The words of an experiment."""

    name = forms.CharField(max_length=120)
    hypothesis = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    note = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}),
        required=False,
        help_text="Shown on every result page and mail of this experiment.",
    )

    def __init__(self, *args: Any, is_draft: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not is_draft:
            del self.fields["hypothesis"]


class PauseForm(forms.Form):
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 2}), help_text="Whoever resumes it needs to know."
    )


class CompleteForm(forms.Form):
    """The decision that ends an experiment."""

    decision = forms.ChoiceField(choices=Decision, widget=forms.RadioSelect)
    variant = forms.ChoiceField(required=False, label="Variant to ship", help_text="Only when you ship one.")
    reason = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}), help_text="The next team will want to know why."
    )

    def __init__(self, *args: Any, experiment: Experiment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        arms = experiment.variants.order_by("index").values_list("key", "name")
        set_choices(self, "variant", [("", "–"), *arms])


class RampForm(forms.Form):
    """A larger share of one target, with the weights of newcomers."""

    share_bp = PercentField(label="Open share in %", max_value=100)
    reason = forms.CharField(required=False, max_length=200)

    def __init__(self, *args: Any, target: Target, variants: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["share_bp"].initial = target.share_bp
        self.weight_names = [f"weight_{index}" for index in range(len(variants))]
        for name, variant, weight in zip(self.weight_names, variants, target.weights_bp, strict=True):
            self.fields[name] = PercentField(label=f"Weight of {variant} in %", initial=weight, max_value=100)
        self.order_fields(["share_bp", *self.weight_names, "reason"])

    def weights_bp(self) -> list[int]:
        return [self.cleaned_data[name] for name in self.weight_names]


class OverrideForm(forms.Form):
    unit_id = forms.CharField(max_length=256, label="Unit id")
    variant = forms.ChoiceField()

    def __init__(self, *args: Any, experiment: Experiment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        arms = experiment.variants.order_by("index").values_list("key", "name")
        set_choices(self, "variant", arms)
