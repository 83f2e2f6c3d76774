"""What every endpoint of one experiment shares: finding it, and changing it only as it was read."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.shortcuts import get_object_or_404
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Action
from accounts.audit import Actor
from accounts.models import ApiKey, Environment
from experiments.api.serializers import ExperimentSerializer
from experiments.errors import RevisionMismatch
from experiments.models import Experiment
from experiments.queries import full_experiments


def environment_of(request: Request) -> Environment:
    """Return the environment that the request's key belongs to."""
    key = request.auth
    assert isinstance(key, ApiKey)
    return key.environment


def etag_of(experiment: Experiment) -> str:
    """Return the ETag of an experiment's configuration."""
    return f'"{experiment.revision}"'


class ExperimentView(GenericAPIView[Experiment]):
    """An endpoint below /experiments/{id}/, in the environment of the key."""

    serializer_class: Any = ExperimentSerializer
    required_action = Action.EDIT
    required_actions: dict[str, Action] = {"GET": Action.SEE}

    def find(self) -> Experiment:
        """Return the experiment of the address; a foreign one does not exist."""
        rows = Experiment.objects.filter(environment=environment_of(self.request))
        rows = rows.select_related("flag", "environment", "project", "layer", "decided_variant")
        return get_object_or_404(rows, public_id=self.kwargs["public_id"])

    def read(self, request: Request, serializer: Any) -> dict[str, Any]:
        """Return the checked body of a request."""
        body = serializer(data=request.data, context={"request": request})
        body.is_valid(raise_exception=True)
        return dict(body.validated_data)

    def change(self, request: Request, carry_out: Callable[[Experiment, Actor], Any]) -> Response:
        """Carry out a change in one transaction, and answer with the experiment after it.

        Raises RevisionMismatch when If-Match names another revision than the stored one.
        """
        with transaction.atomic():
            experiment = self.find()
            require_match(request, experiment)
            carry_out(experiment, Actor.of(request))
        return self.answer(experiment)

    def answer(self, experiment: Experiment, status: int = 200) -> Response:
        """Return the whole experiment with its ETag."""
        full = full_experiments(experiment.environment).get(pk=experiment.pk)
        return Response(ExperimentSerializer(full).data, status=status, headers={"ETag": etag_of(full)})


def require_match(request: Request, experiment: Experiment) -> None:
    """Lock the experiment, and raise RevisionMismatch unless If-Match (when sent) names its revision."""
    wanted = request.headers.get("If-Match", "*").strip()
    if wanted == "*":
        return
    stored = Experiment.objects.select_for_update(no_key=True).get(pk=experiment.pk)
    if etag_of(stored) not in [tag.strip().removeprefix("W/") for tag in wanted.split(",")]:
        raise RevisionMismatch(
            f"The experiment is at revision {stored.revision} by now; read it again and repeat the change."
        )
