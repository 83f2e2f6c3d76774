"""/api/v1: runs, jobs, report recipients and schedules of the experiments in the key's environment."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Action
from accounts.audit import Actor
from analysis.models import AnalysisJob, Run
from analysis.queries.pages import recipients_of, runs_of
from analysis.serializers import (
    JobSerializer,
    RecipientInputSerializer,
    RecipientSerializer,
    RunSerializer,
    RunSummarySerializer,
    ScheduleInputSerializer,
    ScheduleSerializer,
)
from analysis.services import add_recipient, remove_recipient, request_analysis, schedule_of, set_schedule
from analysis.services.jobs import RUN_JOB
from core.wake import wake_worker
from experiments.api.base import ExperimentView, environment_of


class RunListView(ExperimentView):
    """The runs of an experiment, newest first."""

    serializer_class = RunSummarySerializer

    @extend_schema(operation_id="runs_list", responses=RunSummarySerializer(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        page: Any = self.paginate_queryset(runs_of(self.find()))  # type: ignore[arg-type]
        return self.get_paginated_response(RunSummarySerializer(page, many=True).data)


class AnalyseView(ExperimentView):
    """Order an analysis now; answers 202 with the job."""

    required_action = Action.ANALYSE
    serializer_class = JobSerializer

    @extend_schema(operation_id="experiments_analyse", request=None, responses={202: JobSerializer})
    def post(self, request: Request, public_id: str) -> Response:
        job = request_analysis(experiment=self.find(), actor=Actor.of(request), now=timezone.now())
        wake_worker(RUN_JOB, [job.public_id])
        return Response(JobSerializer(job).data, status=202)


class RecipientListView(ExperimentView):
    """Who gets an experiment's reports."""

    required_actions = {"GET": Action.SEE, "POST": Action.MANAGE}
    serializer_class = RecipientSerializer

    @extend_schema(operation_id="recipients_list", responses=RecipientSerializer(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        rows = recipients_of(self.find()).order_by("-id")
        page: Any = self.paginate_queryset(rows)  # type: ignore[arg-type]
        return self.get_paginated_response(RecipientSerializer(page, many=True).data)

    @extend_schema(
        operation_id="recipients_create",
        request=RecipientInputSerializer,
        responses={201: RecipientSerializer},
    )
    def post(self, request: Request, public_id: str) -> Response:
        body = self.read(request, RecipientInputSerializer)
        recipient = add_recipient(experiment=self.find(), email=body["email"], actor=Actor.of(request))
        return Response(RecipientSerializer(recipient).data, status=201)


class RecipientView(ExperimentView):
    """One recipient."""

    required_action = Action.MANAGE
    serializer_class = RecipientSerializer

    @extend_schema(operation_id="recipients_destroy", responses={204: None})
    def delete(self, request: Request, public_id: str, recipient_id: str) -> Response:
        remove_recipient(
            experiment=self.find(), public_id=recipient_id, actor=Actor.of(request), now=timezone.now()
        )
        return Response(status=204)


class ScheduleView(ExperimentView):
    """When an experiment's progress reports go out."""

    required_actions = {"GET": Action.SEE, "PUT": Action.MANAGE}
    serializer_class = ScheduleSerializer

    @extend_schema(operation_id="report_schedule_retrieve", responses=ScheduleSerializer)
    def get(self, request: Request, public_id: str) -> Response:
        return Response(ScheduleSerializer(schedule_of(self.find())).data)

    @extend_schema(
        operation_id="report_schedule_update", request=ScheduleInputSerializer, responses=ScheduleSerializer
    )
    def put(self, request: Request, public_id: str) -> Response:
        body = self.read(request, ScheduleInputSerializer)
        schedule = set_schedule(experiment=self.find(), actor=Actor.of(request), now=timezone.now(), **body)
        return Response(ScheduleSerializer(schedule).data)


class RunView(GenericAPIView[Run]):
    """One run with everything it found."""

    required_action = Action.SEE
    serializer_class = RunSerializer

    def get_queryset(self) -> QuerySet[Run]:
        rows = Run.objects.filter(experiment__environment=environment_of(self.request))
        return rows.select_related("experiment")

    @extend_schema(operation_id="runs_retrieve", responses=RunSerializer)
    def get(self, request: Request, public_id: str) -> Response:
        return Response(RunSerializer(get_object_or_404(self.get_queryset(), public_id=public_id)).data)


class JobView(GenericAPIView[AnalysisJob]):
    """How far an ordered analysis is."""

    required_action = Action.SEE
    serializer_class = JobSerializer

    def get_queryset(self) -> QuerySet[AnalysisJob]:
        rows = AnalysisJob.objects.filter(experiment__environment=environment_of(self.request))
        return rows.select_related("experiment", "run")

    @extend_schema(operation_id="jobs_retrieve", responses=JobSerializer)
    def get(self, request: Request, public_id: str) -> Response:
        return Response(JobSerializer(get_object_or_404(self.get_queryset(), public_id=public_id)).data)
