"""REST: `/api/v1/segments`. The key fixes the project, and the environment whose sizes are told."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Action
from accounts.audit import Actor
from accounts.authentication import project_of
from accounts.models import ApiKey, Environment
from core.errors import NotFound, Problem
from core.parsers import StrictJsonParser
from core.wake import wake_worker
from segments.models import Segment, SegmentVersion
from segments.queries.definitions import (
    get_segment,
    latest_version,
    segments_of,
    versions_of,
    with_current_state,
)
from segments.rules import RuleError
from segments.serializers import (
    PreviewIn,
    PreviewOut,
    RefreshOut,
    RuleIn,
    SegmentIn,
    SegmentOut,
    SegmentPatch,
    VersionOut,
)
from segments.services import (
    create_segment,
    request_refresh,
    retire_segment,
    save_version,
    try_rule,
    update_segment,
)
from segments.services.refreshing import REFRESH_ONE
from segments.sizes import is_suppressed, shown_size


@contextmanager
def _rule_at(pointer: str) -> Iterator[None]:
    """Let the problems of a rule point into the request body."""
    try:
        yield
    except RuleError as error:
        raise type(error)([Problem(pointer + p.pointer, p.code, p.detail) for p in error.problems]) from error


def _environment(request: Request) -> Environment:
    assert isinstance(request.auth, ApiKey)  # ProjectPermission lets nobody else in
    return request.auth.environment


def _current(request: Request) -> QuerySet[Segment]:
    return with_current_state(segments_of(project_of(request)), _environment(request))


def _one(request: Request, segment_id: str) -> Segment:
    segment = _current(request).filter(public_id=segment_id).first()
    if segment is None:
        raise NotFound(f"This project has no segment {segment_id[:60]}.")
    return segment


def _wake(version: SegmentVersion) -> None:
    wake_worker(REFRESH_ONE, list(version.refreshes.values_list("pk", flat=True)))


class SegmentList(ListAPIView[Segment]):
    """The segments of the project."""

    required_actions = {"GET": Action.SEE, "POST": Action.EDIT}
    parser_classes = [StrictJsonParser]
    serializer_class = SegmentOut
    queryset = Segment.objects.none()

    def get_queryset(self) -> QuerySet[Segment]:
        return _current(self.request)

    @extend_schema(request=SegmentIn, responses={201: SegmentOut}, summary="Make a segment")
    def post(self, request: Request) -> Response:
        """Make a segment with its first version; its membership is computed in the background."""
        body = SegmentIn(data=request.data)
        body.is_valid(raise_exception=True)
        with _rule_at("/rule"):
            segment = create_segment(
                project=project_of(request), actor=Actor.of(request), **body.validated_data
            )
        _wake(latest_version(segment))
        return Response(SegmentOut(_one(request, segment.public_id)).data, status=status.HTTP_201_CREATED)


class SegmentDetail(APIView):
    """One segment."""

    required_actions = {"GET": Action.SEE, "PATCH": Action.EDIT}
    parser_classes = [StrictJsonParser]

    @extend_schema(responses=SegmentOut, summary="Read a segment")
    def get(self, request: Request, segment_id: str) -> Response:
        """Return a segment with its latest version and size."""
        return Response(SegmentOut(_one(request, segment_id)).data)

    @extend_schema(request=SegmentPatch, responses=SegmentOut, summary="Change a segment's details")
    def patch(self, request: Request, segment_id: str) -> Response:
        """Change name, rationale or refresh interval; the rule changes by a new version."""
        segment = get_segment(project_of(request), segment_id)
        body = SegmentPatch(data=request.data)
        body.is_valid(raise_exception=True)
        current = {field: getattr(segment, field) for field in ("name", "rationale", "refresh_minutes")}
        update_segment(segment=segment, actor=Actor.of(request), **{**current, **body.validated_data})
        return Response(SegmentOut(_one(request, segment_id)).data)


class SegmentRetire(APIView):
    """The end of a segment's use in new work."""

    required_action = Action.EDIT

    @extend_schema(request=None, responses=SegmentOut, summary="Retire a segment")
    def post(self, request: Request, segment_id: str) -> Response:
        """Retire a segment; experiments that pinned one of its versions keep it."""
        retire_segment(segment=get_segment(project_of(request), segment_id), actor=Actor.of(request))
        return Response(SegmentOut(_one(request, segment_id)).data)


class VersionList(ListAPIView[SegmentVersion]):
    """The versions of a segment, newest first."""

    required_actions = {"GET": Action.SEE, "POST": Action.EDIT}
    parser_classes = [StrictJsonParser]
    serializer_class = VersionOut
    queryset = SegmentVersion.objects.none()

    def get_queryset(self) -> QuerySet[SegmentVersion]:
        return versions_of(get_segment(project_of(self.request), self.kwargs["segment_id"]))

    @extend_schema(
        request=RuleIn,
        responses={201: VersionOut, 200: OpenApiResponse(VersionOut, "The rule is the latest one already.")},
        summary="Save a rule as the next version",
    )
    def post(self, request: Request, segment_id: str) -> Response:
        """Save a rule as the next version; experiments stay on the version they pinned."""
        segment = get_segment(project_of(request), segment_id)
        before = latest_version(segment)
        body = RuleIn(data=request.data)
        body.is_valid(raise_exception=True)
        with _rule_at("/rule"):
            version = save_version(segment=segment, rule=body.validated_data["rule"], actor=Actor.of(request))
        if version.number == before.number:
            return Response(VersionOut(version).data)
        _wake(version)
        return Response(VersionOut(version).data, status=status.HTTP_201_CREATED)


class SegmentRefreshNow(APIView):
    """The membership of a segment's latest version."""

    required_actions = {"GET": Action.SEE, "POST": Action.EDIT}

    @extend_schema(responses=RefreshOut, summary="Read how fresh a segment is")
    def get(self, request: Request, segment_id: str) -> Response:
        """Return the state of the membership in the environment of the key."""
        version = latest_version(get_segment(project_of(request), segment_id))
        row = version.refreshes.select_related("version", "environment").filter(
            environment=_environment(request)
        )
        if not row:
            raise NotFound(
                "The first refresh in this environment is not scheduled yet; it is within a minute."
            )
        return Response(RefreshOut(row[0]).data)

    @extend_schema(request=None, responses={202: RefreshOut}, summary="Refresh a segment now")
    def post(self, request: Request, segment_id: str) -> Response:
        """Make a refresh due at once; a worker does it, GET tells when."""
        version = latest_version(get_segment(project_of(request), segment_id))
        row = request_refresh(
            version=version, environment=_environment(request), actor=Actor.of(request), now=timezone.now()
        )
        wake_worker(REFRESH_ONE, [row.pk])
        return Response(RefreshOut(row).data, status=status.HTTP_202_ACCEPTED)


class SegmentPreview(APIView):
    """A rule that is not saved; counting any rule's units could single out one by differences, so it is for editors."""

    required_action = Action.EDIT
    parser_classes = [StrictJsonParser]

    @extend_schema(request=PreviewIn, responses=PreviewOut, summary="Try a rule")
    def post(self, request: Request) -> Response:
        """Say what a rule means and count its units, in at most two seconds."""
        body = PreviewIn(data=request.data)
        body.is_valid(raise_exception=True)
        with _rule_at("/rule"):
            trial = try_rule(
                environment=_environment(request),
                document=body.validated_data["rule"],
                unit_type=body.validated_data["unit_type"],
                now=timezone.now(),
            )
        answer = {
            "sentence": trial.sentence,
            "needs_stored_facts": trial.needs_stored_facts,
            "units": shown_size(trial.size.units),
            "suppressed": is_suppressed(trial.size.units),
            "profiles": trial.size.profiles,
            "as_of": trial.size.as_of,
            "reason": trial.size.reason,
            "unseen_events": [event.name for event in trial.unseen],
        }
        return Response(PreviewOut(answer).data)
