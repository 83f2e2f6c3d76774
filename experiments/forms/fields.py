"""Form fields in the units people write: percentages, and values of a flag's type."""

import math
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from core.errors import DomainError
from experiments.values import parse_value, show_value


class PercentField(forms.DecimalField):
    """A percentage on the page, a share of `whole` in Python: 10,000 gives basis points, 1 a rate."""

    def __init__(self, *, whole: int = 10_000, **kwargs: Any) -> None:
        self.whole = whole
        kwargs.setdefault("min_value", 0)
        kwargs.setdefault("decimal_places", 2 if whole > 1 else 4)
        super().__init__(**kwargs)
        self.widget.attrs.update({"step": "any", "inputmode": "decimal"})

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, int | float):
            return f"{round(value * 100 / self.whole, 6):g}"
        return value

    def clean(self, value: Any) -> Any:
        percent = super().clean(value)
        if percent is None:
            return None
        share = percent * self.whole / 100
        return int(share) if self.whole > 1 else float(share)

    def has_changed(self, initial: Any, data: Any) -> bool:
        shown = None if initial is None else self.to_python(self.prepare_value(initial))
        return super().has_changed(shown, data)


class NumberField(forms.FloatField):
    """A finite number."""

    def clean(self, value: Any) -> Any:
        number = super().clean(value)
        if number is not None and not math.isfinite(number):
            raise ValidationError("Enter a finite number.")
        return number


class FlagValueField(forms.CharField):
    """A value of a flag, written as text and read by the flag's type (see `use_type`)."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("strip", False)
        super().__init__(**kwargs)
        self.flag_type = "string"

    def use_type(self, flag_type: str) -> None:
        """Read and show values of this type; a text may be empty, everything else must be given."""
        self.flag_type = flag_type
        self.required = flag_type != "string"
        if flag_type == "object":
            self.widget = forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, str) else show_value(value)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return parse_value(self.flag_type, text)
        except DomainError as error:
            raise ValidationError(error.message, code=error.code) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


def value_field(form: forms.BaseForm, name: str) -> FlagValueField:
    """Return a field of a form that holds a flag's value."""
    field = form.fields[name]
    assert isinstance(field, FlagValueField)
    return field


def set_choices(form: forms.BaseForm, name: str, choices: Iterable[tuple[str, str]]) -> None:
    """Offer these values in a choice field of a form."""
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = list(choices)


def set_rows(form: forms.BaseForm, name: str, rows: QuerySet[Any]) -> None:
    """Offer these objects in a choice field of a form."""
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)
    field.queryset = rows


VALUE_HELP = {
    "boolean": "true or false.",
    "string": "Any text.",
    "integer": "A whole number.",
    "float": "A number.",
    "object": 'JSON, such as {"colour": "blue"}.',
}
