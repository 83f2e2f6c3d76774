"""/api/v1/flags and /api/v1/metrics."""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Action
from accounts.audit import Actor
from accounts.authentication import key_of, project_of
from experiments.api.serializers import (
    FlagChangesSerializer,
    FlagSerializer,
    MetricChangesSerializer,
    MetricSerializer,
    NewFlagSerializer,
    NewMetricSerializer,
)
from experiments.models import Flag, Metric
from experiments.services import create_flag, create_metric, update_flag, update_metric


class FlagListView(GenericAPIView[Flag]):
    """The flags of the project."""

    serializer_class = FlagSerializer
    required_actions = {"POST": Action.EDIT}

    def get_queryset(self) -> QuerySet[Flag]:
        return Flag.objects.filter(project=project_of(self.request))

    @extend_schema(operation_id="flags_list", responses=FlagSerializer(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(FlagSerializer(page, many=True).data)

    @extend_schema(operation_id="flags_create", request=NewFlagSerializer, responses={201: FlagSerializer})
    def post(self, request: Request) -> Response:
        body = NewFlagSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        flag = create_flag(project=project_of(request), actor=Actor.of(request), **body.validated_data)
        return Response(FlagSerializer(flag).data, status=201)


class FlagDetailView(GenericAPIView[Flag]):
    """One flag; a change is published at once."""

    serializer_class = FlagSerializer
    required_actions = {"PATCH": Action.EDIT}

    def get_object(self) -> Flag:
        return get_object_or_404(Flag, project=project_of(self.request), public_id=self.kwargs["public_id"])

    @extend_schema(operation_id="flags_retrieve")
    def get(self, request: Request, public_id: str) -> Response:
        return Response(FlagSerializer(self.get_object()).data)

    @extend_schema(operation_id="flags_update", request=FlagChangesSerializer, responses=FlagSerializer)
    def patch(self, request: Request, public_id: str) -> Response:
        body = FlagChangesSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        flag = update_flag(
            flag=self.get_object(), actor=Actor.of(request), role=key_of(request).role, **body.validated_data
        )
        return Response(FlagSerializer(flag).data)


class MetricListView(GenericAPIView[Metric]):
    """The metrics of the project."""

    serializer_class = MetricSerializer
    required_actions = {"POST": Action.ANALYSE}

    def get_queryset(self) -> QuerySet[Metric]:
        return Metric.objects.filter(project=project_of(self.request))

    @extend_schema(operation_id="metrics_list", responses=MetricSerializer(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(MetricSerializer(page, many=True).data)

    @extend_schema(
        operation_id="metrics_create", request=NewMetricSerializer, responses={201: MetricSerializer}
    )
    def post(self, request: Request) -> Response:
        body = NewMetricSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        metric = create_metric(project=project_of(request), actor=Actor.of(request), **body.validated_data)
        return Response(MetricSerializer(metric).data, status=201)


class MetricDetailView(GenericAPIView[Metric]):
    """One metric; its definition is fixed while a running experiment is read by it."""

    serializer_class = MetricSerializer
    required_actions = {"PATCH": Action.ANALYSE}

    def get_object(self) -> Metric:
        return get_object_or_404(Metric, project=project_of(self.request), public_id=self.kwargs["public_id"])

    @extend_schema(operation_id="metrics_retrieve")
    def get(self, request: Request, public_id: str) -> Response:
        return Response(MetricSerializer(self.get_object()).data)

    @extend_schema(operation_id="metrics_update", request=MetricChangesSerializer, responses=MetricSerializer)
    def patch(self, request: Request, public_id: str) -> Response:
        body = MetricChangesSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        metric = update_metric(metric=self.get_object(), actor=Actor.of(request), **body.validated_data)
        return Response(MetricSerializer(metric).data)
