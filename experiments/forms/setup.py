"""Forms for the parts of a draft's set-up; rows that stay empty are left out."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.db.models import QuerySet

from experiments.forms.fields import (
    VALUE_HELP,
    FlagValueField,
    NumberField,
    PercentField,
    set_choices,
    set_rows,
    value_field,
)
from experiments.models import FLAG_KEY, Experiment, Metric, MetricRole, Plan, StoppingRule
from experiments.services import MetricInput, PlanInput, TargetInput, VariantInput
from experiments.splits import equal_weights
from segments.models import Segment, SegmentStatus

EVERYONE = "everyone"


class RowForm(forms.Form):
    """One row; its key field says whether there is anything in it."""

    key_field = "key"
    further_fields: tuple[str, ...] = ()  # shown folded away

    def shown_fields(self) -> list[forms.BoundField]:
        """Return the fields that a row shows at once."""
        return [f for f in self.visible_fields() if f.name not in (*self.further_fields, "DELETE")]

    def folded_fields(self) -> list[forms.BoundField]:
        """Return the fields that are shown on demand."""
        return [self[name] for name in self.further_fields]

    @property
    def has_further(self) -> bool:
        """Tell whether a folded field holds something, or is at fault."""
        return any(self[name].value() not in (None, "") or self[name].errors for name in self.further_fields)

    def name_of(self, path: list[str]) -> str:
        """Return the field that a service's pointer into this row is about."""
        return path[0] if path else ""

    @property
    def is_blank(self) -> bool:
        """Tell whether this is a row for something new, which may stay empty."""
        return not self.initial.get(self.key_field)

    def to_input(self) -> Any:
        """Return the row as the service takes it."""
        raise NotImplementedError


class RowSet(forms.BaseFormSet):
    """The rows of one part of the set-up."""

    def _construct_form(self, i: int, **kwargs: Any) -> RowForm:
        row: RowForm = super()._construct_form(i, **kwargs)  # type: ignore[misc]
        row.empty_permitted = row.is_blank
        row.use_required_attribute = not row.is_blank
        return row

    def used_rows(self) -> list[RowForm]:
        """Return the filled rows of a valid set that are not marked for removal, in their order."""
        filled = [row for row in self.forms if row.cleaned_data.get(row.key_field)]
        return [row for row in filled if not self._should_delete_form(row)]  # type: ignore[attr-defined]


class VariantRow(RowForm):
    key = forms.CharField(max_length=60, validators=[FLAG_KEY])
    name = forms.CharField(max_length=120, required=False)
    value = FlagValueField(required=False)

    def __init__(self, *args: Any, flag_type: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        value = value_field(self, "value")
        value.use_type(flag_type)
        value.help_text = VALUE_HELP[flag_type]

    def to_input(self) -> VariantInput:
        data = self.cleaned_data
        return VariantInput(data["key"], data["value"], data["name"])


class TargetRow(RowForm):
    key_field = "segment"

    segment = forms.ChoiceField(label="Who")
    share_bp = PercentField(label="Share in %", max_value=100)

    def __init__(
        self, *args: Any, segments: dict[str, Segment], variants: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.segments = segments
        choices = [(key, segment.name) for key, segment in segments.items()]
        set_choices(self, "segment", [("", "–"), (EVERYONE, "Everyone"), *choices])
        self.weight_names = [f"weight_{index}" for index in range(len(variants))]
        for name, variant in zip(self.weight_names, variants, strict=True):
            self.fields[name] = PercentField(label=f"{variant} in %", max_value=100)

    def name_of(self, path: list[str]) -> str:
        if path[:1] == ["weights_bp"]:
            return f"weight_{path[1] if len(path) > 1 else 0}"
        return super().name_of(path)

    def to_input(self) -> TargetInput:
        data = self.cleaned_data
        return TargetInput(
            segment=None if data["segment"] == EVERYONE else self.segments[data["segment"]],
            share_bp=data["share_bp"],
            weights_bp=[data[name] for name in self.weight_names],
        )


class MetricRow(RowForm):
    key_field = "metric"
    further_fields = ("baseline_mean", "baseline_sd")

    metric = forms.ModelChoiceField(queryset=Metric.objects.none(), to_field_name="key", empty_label="–")
    role = forms.ChoiceField(choices=MetricRole)
    margin = PercentField(whole=1, required=False, label="Margin in %")
    baseline_mean = NumberField(required=False, label="Mean per unit")
    baseline_sd = NumberField(required=False, label="Standard deviation")

    def __init__(self, *args: Any, metrics: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_rows(self, "metric", metrics)

    def to_input(self) -> MetricInput:
        return MetricInput(**{name: self.cleaned_data[name] for name in MetricInput.__dataclass_fields__})


class PlanForm(forms.Form):
    """How much error, how small an effect, and how long."""

    mde = PercentField(
        whole=1,
        max_value=1000,
        label="Smallest effect worth finding in %",
        help_text="Relative change of the primary metric (MDE).",
    )
    planned_n = forms.IntegerField(
        min_value=1, max_value=10**12, label="Planned units", help_text="In all variants together."
    )
    alpha = PercentField(
        whole=1,
        max_value=20,
        initial=0.05,
        label="α in %",
        help_text="How often a null effect may look real.",
    )
    power = PercentField(
        whole=1,
        min_value=50,
        max_value=99.9,
        initial=0.8,
        label="Power in %",
        help_text="How often an effect of that size is found.",
    )
    stopping_rule = forms.ChoiceField(
        choices=StoppingRule, widget=forms.RadioSelect, initial=StoppingRule.ALWAYS_VALID
    )
    min_days = forms.IntegerField(min_value=1, max_value=1000, initial=7, label="Shortest run in days")
    max_days = forms.IntegerField(min_value=1, max_value=1000, initial=28, label="Longest run in days")
    daily_units = NumberField(
        required=False, label="New units a day", help_text="Only where there is no history yet."
    )
    auto_pause = forms.BooleanField(
        required=False, label="Pause by itself when a guardrail is credibly breached"
    )

    def to_input(self) -> PlanInput:
        return PlanInput(**{name: self.cleaned_data[name] for name in PlanInput.__dataclass_fields__})


class BreakdownsForm(forms.Form):
    segments = forms.ModelMultipleChoiceField(
        queryset=Segment.objects.none(),
        to_field_name="key",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Results are reported by what was true of a unit at its first exposure.",
    )

    def __init__(self, *args: Any, experiment: Experiment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        set_rows(self, "segments", segments_for(experiment))


def segments_for(experiment: Experiment) -> QuerySet[Segment]:
    """Return the segments that can be chosen for an experiment, by name."""
    return Segment.objects.filter(
        project_id=experiment.project_id, status=SegmentStatus.ACTIVE, unit_type=experiment.unit_type
    ).order_by("name")


def variant_rows(experiment: Experiment, data: Any = None) -> RowSet:
    """Return the arms as rows, and one more."""
    initial: list[dict[str, Any]] = [
        {"key": arm.key, "name": arm.name, "value": arm.value}
        for arm in experiment.variants.order_by("index")
    ]
    return _rows(VariantRow, "variants", [*initial, {}], data, {"flag_type": experiment.flag.type})


def target_rows(experiment: Experiment, data: Any = None) -> RowSet:
    """Return the targets as rows, and one more."""
    variants = list(experiment.variants.order_by("index").values_list("name", flat=True))
    initial = [
        {
            "segment": row.segment_version.segment.key if row.segment_version else EVERYONE,
            "share_bp": row.share_bp,
            **_weights(row.weights_bp),
        }
        for row in experiment.targets.select_related("segment_version__segment").order_by("position")
    ]
    blank = {"share_bp": 10_000, **_weights(equal_weights(len(variants)))}
    segments = {segment.key: segment for segment in segments_for(experiment)}
    kwargs = {"segments": segments, "variants": variants}
    return _rows(TargetRow, "targets", [*initial, blank], data, kwargs)


def _weights(weights_bp: Sequence[int]) -> dict[str, int]:
    return {f"weight_{index}": weight for index, weight in enumerate(weights_bp)}


def metric_rows(experiment: Experiment, data: Any = None) -> RowSet:
    """Return the metrics as rows; an empty set starts with a row for each role."""
    fields = ("metric__key", "role", "margin", "baseline_mean", "baseline_sd")
    initial = [
        {key.removesuffix("__key"): value for key, value in row.items()}
        for row in experiment.metrics.order_by("id").values(*fields)
    ]
    blanks = [{"role": role} for role in (MetricRole.values if not initial else [MetricRole.SECONDARY])]
    metrics = Metric.objects.filter(project_id=experiment.project_id).order_by("name")
    return _rows(MetricRow, "metrics", [*initial, *blanks], data, {"metrics": metrics})


def plan_initial(experiment: Experiment) -> dict[str, Any]:
    """Return the stored plan as initial values of PlanForm."""
    fields = tuple(PlanInput.__dataclass_fields__)
    return Plan.objects.filter(experiment=experiment).values(*fields).first() or {}


def _rows(
    row: type[RowForm], prefix: str, initial: list[dict[str, Any]], data: Any, form_kwargs: dict[str, Any]
) -> RowSet:
    factory = forms.formset_factory(row, formset=RowSet, extra=0, can_delete=True, max_num=100)
    return cast(RowSet, factory(data, prefix=prefix, initial=initial, form_kwargs=form_kwargs))
