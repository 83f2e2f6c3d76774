"""What several pages of the app need."""

from accounts.models import Project
from core.errors import NotFound
from segments.models import Segment
from segments.queries.definitions import segments_of


def get_segment_by_key(project: Project, key: str) -> Segment:
    """Return a segment of the project by the key in its address."""
    segment = segments_of(project).filter(key=key).first()
    if segment is None:
        raise NotFound(f"This project has no segment with the key {key[:60]}.")
    return segment
