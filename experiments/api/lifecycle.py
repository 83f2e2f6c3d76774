"""POST /api/v1/experiments/{id}/start and the other verbs."""

from django.db import transaction
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Action
from accounts.audit import Actor
from experiments.api.base import ExperimentView, require_match
from experiments.api.serializers import (
    DecisionSerializer,
    ExperimentSerializer,
    LaunchCheckSerializer,
    RampEffectSerializer,
    RampSerializer,
    ReasonSerializer,
)
from experiments.launch import check_launch
from experiments.queries import launch_facts
from experiments.services import (
    archive_experiment,
    change_allocation,
    complete_experiment,
    pause_experiment,
    ramp_effect,
    record_decision,
    resume_experiment,
    start_experiment,
)


class LaunchCheckView(ExperimentView):
    serializer_class = LaunchCheckSerializer

    @extend_schema(operation_id="experiments_launch_check", responses=LaunchCheckSerializer)
    def get(self, request: Request, public_id: str) -> Response:
        findings = check_launch(launch_facts(self.find()))
        can_start = not any(finding.is_blocker for finding in findings)
        return Response(LaunchCheckSerializer({"can_start": can_start, "findings": findings}).data)


class StartView(ExperimentView):
    required_action = Action.RUN

    @extend_schema(operation_id="experiments_start", request=None, responses=ExperimentSerializer)
    def post(self, request: Request, public_id: str) -> Response:
        return self.change(request, lambda e, actor: start_experiment(experiment=e, actor=actor))


class PauseView(ExperimentView):
    required_action = Action.STOP

    @extend_schema(operation_id="experiments_pause", request=ReasonSerializer, responses=ExperimentSerializer)
    def post(self, request: Request, public_id: str) -> Response:
        reason = self.read(request, ReasonSerializer)["reason"]
        return self.change(
            request, lambda e, actor: pause_experiment(experiment=e, reason=reason, actor=actor)
        )


class ResumeView(ExperimentView):
    required_action = Action.RUN

    @extend_schema(operation_id="experiments_resume", request=None, responses=ExperimentSerializer)
    def post(self, request: Request, public_id: str) -> Response:
        return self.change(request, lambda e, actor: resume_experiment(experiment=e, actor=actor))


class CompleteView(ExperimentView):
    required_action = Action.RUN

    @extend_schema(
        operation_id="experiments_complete", request=DecisionSerializer, responses=ExperimentSerializer
    )
    def post(self, request: Request, public_id: str) -> Response:
        body = self.read(request, DecisionSerializer)
        variant_key = body.pop("variant", "")
        return self.change(
            request,
            lambda e, actor: complete_experiment(experiment=e, actor=actor, variant_key=variant_key, **body),
        )


class DecisionView(ExperimentView):
    required_action = Action.RUN

    @extend_schema(
        operation_id="experiments_decide", request=DecisionSerializer, responses=ExperimentSerializer
    )
    def put(self, request: Request, public_id: str) -> Response:
        body = self.read(request, DecisionSerializer)
        variant_key = body.pop("variant", "")
        return self.change(
            request,
            lambda e, actor: record_decision(experiment=e, actor=actor, variant_key=variant_key, **body),
        )


class ArchiveView(ExperimentView):
    @extend_schema(operation_id="experiments_archive", request=None, responses=ExperimentSerializer)
    def post(self, request: Request, public_id: str) -> Response:
        return self.change(request, lambda e, actor: archive_experiment(experiment=e, actor=actor))


class RampView(ExperimentView):
    """Open more traffic of one target; nobody who takes part moves."""

    serializer_class = RampEffectSerializer
    required_action = Action.RUN

    @extend_schema(operation_id="experiments_ramp", request=RampSerializer, responses=RampEffectSerializer)
    def post(self, request: Request, public_id: str) -> Response:
        body = self.read(request, RampSerializer)
        position, is_dry_run = body.pop("target"), body.pop("dry_run")
        with transaction.atomic():
            experiment = self.find()
            require_match(request, experiment)
            if is_dry_run:
                body.pop("reason", None)
                effect = ramp_effect(get_object_or_404(experiment.targets, position=position), **body)
            else:
                effect = change_allocation(
                    experiment=experiment, position=position, actor=Actor.of(request), **body
                )
        return Response(RampEffectSerializer(effect).data)
