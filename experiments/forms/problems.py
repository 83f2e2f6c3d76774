"""Errors of services, put at the field they are about."""

from collections.abc import Mapping, Sequence

from django import forms

from core.errors import DomainError
from core.problem import problems_of
from experiments.forms.setup import RowForm, RowSet


def add_problems(form: forms.Form, error: DomainError, names: Mapping[str, str] | None = None) -> None:
    """Add every fault of `error` to the field its pointer names; `names` maps pointers to other fields."""
    for problem in problems_of(error):
        name = (names or {}).get(problem.pointer, problem.pointer.rpartition("/")[2])
        form.add_error(name if name in form.fields else None, problem.detail)


def add_row_problems(formset: RowSet, rows: Sequence[RowForm], error: DomainError) -> None:
    """Add every fault of `error` to the row and field of its pointer, `/part/<row>/<field>`.

    rows: the forms that were handed to the service, in that order.
    """
    for problem in problems_of(error):
        _, _, *path = problem.pointer.split("/")
        if path and path[0].isdigit() and int(path[0]) < len(rows):
            row = rows[int(path[0])]
            name = row.name_of(path[1:])
            row.add_error(name if name in row.fields else None, problem.detail)
        else:
            formset.non_form_errors().append(problem.detail)
