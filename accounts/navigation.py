"""What the frame of a page shows: the user, their projects, and the rooms of the current project."""

from dataclasses import dataclass, replace

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from accounts.access import Action, allows
from accounts.models import Membership, User
from accounts.queries import memberships_of


@dataclass(frozen=True)
class Link:
    """One entry of a menu."""

    label: str
    url: str
    is_current: bool = False


@dataclass(frozen=True)
class Group:
    """Links under one title."""

    title: str
    links: tuple[Link, ...]


@dataclass(frozen=True)
class ProjectLink:
    """A project to switch to."""

    name: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Navigation:
    """The frame's content; without a user only the footer."""

    version: str
    footer: tuple[Link, ...]
    user: User | None = None
    current: ProjectLink | None = None
    projects: tuple[ProjectLink, ...] = ()
    groups: tuple[Group, ...] = ()
    on_account: bool = False

    @property
    def project_url(self) -> str:
        return self.current.url if self.current else reverse("projects")


# Rooms by URL name: higher apps are linked, never imported.
_ROOMS: tuple[tuple[str, tuple[tuple[str, str, Action], ...]], ...] = (
    ("", (("Home", "analysis:home", Action.SEE),)),
    (
        "Decide",
        (
            ("Experiments", "experiments:list", Action.SEE),
            ("Report mails", "analysis:mail", Action.SEE),
        ),
    ),
    (
        "Define",
        (
            ("Segments", "segments:list", Action.SEE),
            ("Metrics", "experiments:metrics", Action.SEE),
            ("Flags", "experiments:flags", Action.SEE),
        ),
    ),
    (
        "Data",
        (
            ("Events", "events:overview", Action.SEE),
            ("Attributes", "events:attributes", Action.SEE),
        ),
    ),
    (
        "Project",
        (
            ("API keys", "accounts:keys", Action.MANAGE),
            ("Members", "accounts:members", Action.SEE),
            ("Audit trail", "accounts:audit", Action.SEE),
            ("Settings", "accounts:settings", Action.MANAGE),
        ),
    ),
)


def build_navigation(request: HttpRequest) -> Navigation:
    """Return the frame of this request's page; costs one query for a logged-in user."""
    frame = Navigation(version=settings.STRATA_VERSION, footer=_links((("API", "api-docs"),)))
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return frame
    if user.is_staff:
        frame = replace(frame, footer=frame.footer + _links((("Back office", "admin:index"),)))
    membership: Membership | None = getattr(request, "membership", None)
    projects = tuple(_project_link(m, membership) for m in memberships_of(user))
    return replace(
        frame,
        user=user,
        projects=projects,
        current=next((p for p in projects if p.is_current), None),
        groups=_groups(membership, request.path) if membership else (),
        on_account=request.path == reverse("accounts:account"),
    )


def project_home(slug: str) -> str:
    """Return the address of a project's first page."""
    return reverse("analysis:home", args=[slug])


def _project_link(membership: Membership, current: Membership | None) -> ProjectLink:
    project = membership.project
    is_current = current is not None and current.project_id == project.pk
    return ProjectLink(name=project.name, url=project_home(project.slug), is_current=is_current)


def _links(entries: tuple[tuple[str, str], ...]) -> tuple[Link, ...]:
    return tuple(Link(label=label, url=reverse(name)) for label, name in entries)


def _groups(membership: Membership, path: str) -> tuple[Group, ...]:
    slug = membership.project.slug
    rooms = [
        (
            title,
            [
                (label, reverse(name, args=[slug]))
                for label, name, action in links
                if allows(membership.role, action)
            ],
        )
        for title, links in _ROOMS
    ]
    here = _room_of(path, project_home(slug), [url for _, links in rooms for _, url in links])
    return tuple(
        Group(title, tuple(Link(label, url, is_current=url == here) for label, url in links))
        for title, links in rooms
    )


def _room_of(path: str, home: str, urls: list[str]) -> str:
    """Return the longest address that `path` lies under; a project's home holds only itself."""
    holding = [url for url in urls if path == url or (url != home and path.startswith(url))]
    return max(holding, key=len, default="")
