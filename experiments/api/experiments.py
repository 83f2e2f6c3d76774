"""/api/v1/experiments: list, make, read, change, part by part."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import Action
from accounts.audit import Actor
from core.errors import DomainError, InvalidInput, NotFound, Problem
from core.problem import problems_of
from experiments.api.base import ExperimentView, environment_of
from experiments.api.serializers import (
    BreakdownsInputSerializer,
    ExperimentChangesSerializer,
    ExperimentSerializer,
    ExperimentSummarySerializer,
    HoldoutSerializer,
    LayerInputSerializer,
    LayerSerializer,
    MetricsInputSerializer,
    NewExperimentSerializer,
    OverrideSerializer,
    PlanInputSerializer,
    TargetsInputSerializer,
    VariantsInputSerializer,
)
from experiments.models import Experiment, Holdout, Layer, Override, Status
from experiments.services import (
    MetricInput,
    NewFlag,
    PlanInput,
    TargetInput,
    VariantInput,
    create_experiment,
    create_layer,
    remove_override,
    set_breakdowns,
    set_holdout,
    set_layer,
    set_metrics,
    set_override,
    set_plan,
    set_targets,
    set_variants,
    update_experiment,
)


class ExperimentListView(ExperimentView):
    """The experiments of the key's environment."""

    required_actions = {"GET": Action.SEE, "POST": Action.EDIT}

    def get_queryset(self) -> QuerySet[Experiment]:
        rows = Experiment.objects.filter(environment=environment_of(self.request))
        status = self.request.query_params.get("status", "")
        if status and status not in Status.values:
            raise DomainError(f"A status is one of: {', '.join(Status.values)}.", pointer="/status")
        rows = rows.filter(status=status) if status else rows
        return rows.select_related("environment", "flag", "decided_variant")

    @extend_schema(
        operation_id="experiments_list",
        parameters=[OpenApiParameter("status", str, description="Only experiments in this state.")],
        responses=ExperimentSummarySerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(ExperimentSummarySerializer(page, many=True).data)

    @extend_schema(
        operation_id="experiments_create",
        request=NewExperimentSerializer,
        responses={201: ExperimentSerializer},
    )
    def post(self, request: Request) -> Response:
        body = self.read(request, NewExperimentSerializer)
        with transaction.atomic():
            experiment = _create(request, body)
        return self.answer(experiment, status=201)


def _create(request: Request, body: dict[str, Any]) -> Experiment:
    """Make a draft with every part that the body holds."""
    actor = Actor.of(request)
    parts = {part: body.pop(part) for part in ("metrics", "plan", "breakdowns") if part in body}
    new_flag = body.pop("new_flag", None)
    targets = [TargetInput(**target) for target in body.pop("targets", [{}])]
    experiment = create_experiment(
        environment=environment_of(request),
        flag=NewFlag(**new_flag) if new_flag else body.pop("flag"),
        variants=[VariantInput(**variant) for variant in body.pop("variants")],
        targets=targets,
        actor=actor,
        **body,
    )
    if "metrics" in parts:
        metrics = [MetricInput(**metric) for metric in parts["metrics"]]
        set_metrics(experiment=experiment, metrics=metrics, actor=actor)
    if "plan" in parts:
        try:
            set_plan(experiment=experiment, plan=PlanInput(**parts["plan"]), actor=actor)
        except InvalidInput as error:
            moved = [Problem(f"/plan{p.pointer}", p.code, p.detail) for p in problems_of(error)]
            raise InvalidInput(moved) from error
    if "breakdowns" in parts:
        set_breakdowns(experiment=experiment, segments=parts["breakdowns"], actor=actor)
    return experiment


class ExperimentDetailView(ExperimentView):
    @extend_schema(operation_id="experiments_retrieve", responses=ExperimentSerializer)
    def get(self, request: Request, public_id: str) -> Response:
        return self.answer(self.find())

    @extend_schema(
        operation_id="experiments_update", request=ExperimentChangesSerializer, responses=ExperimentSerializer
    )
    def patch(self, request: Request, public_id: str) -> Response:
        changes = self.read(request, ExperimentChangesSerializer)
        return self.change(request, lambda e, actor: update_experiment(experiment=e, actor=actor, **changes))


class VariantsView(ExperimentView):
    @extend_schema(
        operation_id="experiments_variants_set",
        request=VariantsInputSerializer,
        responses=ExperimentSerializer,
    )
    def put(self, request: Request, public_id: str) -> Response:
        rows = self.read(request, VariantsInputSerializer)["variants"]
        variants = [VariantInput(**row) for row in rows]
        return self.change(
            request, lambda e, actor: set_variants(experiment=e, variants=variants, actor=actor)
        )


class TargetsView(ExperimentView):
    @extend_schema(
        operation_id="experiments_targets_set", request=TargetsInputSerializer, responses=ExperimentSerializer
    )
    def put(self, request: Request, public_id: str) -> Response:
        rows = self.read(request, TargetsInputSerializer)["targets"]
        targets = [TargetInput(**row) for row in rows]
        return self.change(request, lambda e, actor: set_targets(experiment=e, targets=targets, actor=actor))


class MetricsView(ExperimentView):
    @extend_schema(
        operation_id="experiments_metrics_set", request=MetricsInputSerializer, responses=ExperimentSerializer
    )
    def put(self, request: Request, public_id: str) -> Response:
        rows = self.read(request, MetricsInputSerializer)["metrics"]
        metrics = [MetricInput(**row) for row in rows]
        return self.change(request, lambda e, actor: set_metrics(experiment=e, metrics=metrics, actor=actor))


class PlanView(ExperimentView):
    @extend_schema(
        operation_id="experiments_plan_set", request=PlanInputSerializer, responses=ExperimentSerializer
    )
    def put(self, request: Request, public_id: str) -> Response:
        plan = PlanInput(**self.read(request, PlanInputSerializer))
        return self.change(request, lambda e, actor: set_plan(experiment=e, plan=plan, actor=actor))


class BreakdownsView(ExperimentView):
    @extend_schema(
        operation_id="experiments_breakdowns_set",
        request=BreakdownsInputSerializer,
        responses=ExperimentSerializer,
    )
    def put(self, request: Request, public_id: str) -> Response:
        segments = self.read(request, BreakdownsInputSerializer)["breakdowns"]
        return self.change(
            request, lambda e, actor: set_breakdowns(experiment=e, segments=segments, actor=actor)
        )


class ExperimentLayerView(ExperimentView):
    @extend_schema(
        operation_id="experiments_layer_set", request=LayerInputSerializer, responses=ExperimentSerializer
    )
    def put(self, request: Request, public_id: str) -> Response:
        body = self.read(request, LayerInputSerializer)
        layer = None
        if body["layer"] is not None:
            layer = Layer.objects.filter(environment=environment_of(request), public_id=body["layer"]).first()
            if layer is None:
                raise NotFound(
                    f"There is no layer {body['layer']:.60} in this environment.", pointer="/layer"
                )
        slots = [(start, end) for start, end in body.get("slots", [])]
        return self.change(
            request, lambda e, actor: set_layer(experiment=e, layer=layer, slots=slots, actor=actor)
        )


class OverridesView(ExperimentView):
    """Units that always get one variant, for QA."""

    serializer_class = OverrideSerializer

    @extend_schema(operation_id="experiments_overrides_list", responses=OverrideSerializer(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        rows: QuerySet[Any] = Override.objects.filter(experiment=self.find()).select_related("variant")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(OverrideSerializer(page, many=True).data)

    @extend_schema(
        operation_id="experiments_overrides_set", request=OverrideSerializer, responses=OverrideSerializer
    )
    def put(self, request: Request, public_id: str) -> Response:
        body = self.read(request, OverrideSerializer)
        override = set_override(
            experiment=self.find(),
            unit_id=body["unit_id"],
            variant_key=body["variant"]["key"],
            actor=Actor.of(request),
        )
        return Response(OverrideSerializer(override).data)

    @extend_schema(
        operation_id="experiments_overrides_remove",
        parameters=[OpenApiParameter("unit_id", str, required=True)],
        responses={204: None},
    )
    def delete(self, request: Request, public_id: str) -> Response:
        unit_id = request.query_params.get("unit_id", "")
        remove_override(experiment=self.find(), unit_id=unit_id, actor=Actor.of(request))
        return Response(status=204)


class HoldoutView(GenericAPIView[Holdout]):
    """The share of the environment's units that no experiment takes."""

    serializer_class = HoldoutSerializer
    required_actions = {"PUT": Action.RUN}

    @extend_schema(operation_id="holdout_retrieve", responses=HoldoutSerializer)
    def get(self, request: Request) -> Response:
        holdout = Holdout.objects.filter(environment=environment_of(request)).first()
        return Response({"share_bp": holdout.share_bp if holdout else 0})

    @extend_schema(operation_id="holdout_set", request=HoldoutSerializer, responses=HoldoutSerializer)
    def put(self, request: Request) -> Response:
        body = HoldoutSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        share_bp = body.validated_data["share_bp"]
        set_holdout(environment=environment_of(request), share_bp=share_bp, actor=Actor.of(request))
        return Response({"share_bp": share_bp})


class LayerListView(GenericAPIView[Layer]):
    """The layers of the environment."""

    serializer_class = LayerSerializer
    required_actions = {"POST": Action.EDIT}

    @extend_schema(operation_id="layers_list", responses=LayerSerializer(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(Layer.objects.filter(environment=environment_of(request)))
        return self.get_paginated_response(LayerSerializer(page, many=True).data)

    @extend_schema(operation_id="layers_create", request=LayerSerializer, responses={201: LayerSerializer})
    def post(self, request: Request) -> Response:
        body = LayerSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        layer = create_layer(
            environment=environment_of(request), actor=Actor.of(request), **body.validated_data
        )
        return Response(LayerSerializer(layer).data, status=201)
