"""Who may do what, where: users, organisations, projects, environments, keys, and the audit trail."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from core.models import PublicModel


class UserManager(BaseUserManager["User"]):
    """Users are found and made by e-mail address."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    """A member of staff who logs in (never a unit)."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()  # type: ignore[misc,assignment]

    def __str__(self) -> str:
        return self.get_full_name() or self.email


class Organisation(PublicModel):
    ID_PREFIX = "org"

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)

    def __str__(self) -> str:
        return self.name


class Project(PublicModel):
    """Owns segments, metrics, experiments and the attribute registry."""

    ID_PREFIX = "prj"

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    timezone = models.CharField(max_length=60, default="UTC")
    currency = models.CharField(max_length=3, default="EUR")
    consent_required = models.BooleanField(
        default=False, help_text="Without a stored consent, nothing is recorded and nobody is assigned."
    )
    description = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.name


class Environment(PublicModel):
    """Owns keys and data; experiments run in one."""

    ID_PREFIX = "env"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="environments")
    name = models.CharField(max_length=60)
    slug = models.SlugField(max_length=60)
    is_production = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "slug"], name="environment_slug_once_per_project")
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    VIEWER = "viewer"
    ANALYST = "analyst"
    EXPERIMENTER = "experimenter"
    ADMIN = "admin"
    PRIVACY_OFFICER = "privacy_officer", "Privacy officer"


class Membership(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "project"], name="membership_once_per_project"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.project}"


class KeyKind(models.TextChoices):
    SDK_SERVER = "sdk_server", "Server SDK: evaluate, log exposures, read facts"
    SDK_CLIENT = "sdk_client", "Client SDK: evaluate only, pre-evaluated answers"
    INGEST = "ingest", "Ingest: events, profiles and exposures"
    API = "api", "API: configuration and results"


class ApiKey(PublicModel):
    """A secret shown once; only its SHA-256 and a look-up prefix are kept."""

    ID_PREFIX = "key"

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="api_keys")
    kind = models.CharField(max_length=12, choices=KeyKind)
    role = models.CharField(max_length=20, choices=Role, default=Role.VIEWER)
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=32, unique=True)
    secret_hash = models.CharField(max_length=64)
    allowed_origins = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=KeyKind.values), name="api_key_kind_known"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="api_key_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AuditEntry(models.Model):
    """One line of the append-only, hash-chained trail of a project; a trigger refuses changes."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="audit_entries")
    at = models.DateTimeField()
    actor = models.CharField(max_length=200)
    action = models.CharField(max_length=60)
    target_type = models.CharField(max_length=40)
    target_id = models.CharField(max_length=60)
    target_label = models.CharField(max_length=200, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["project", "-id"], name="audit_by_project")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor} {self.action} {self.target_label}"


class LoginAttempt(models.Model):
    """One try to log in, kept for the length of the throttle; the account is a hash, known to us or not."""

    account = models.CharField(max_length=64)
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["account", "at"], name="login_by_account"),
            models.Index(fields=["address", "at"], name="login_by_address"),
        ]

    def __str__(self) -> str:
        return f"{self.address} at {self.at:%Y-%m-%d %H:%M}"
