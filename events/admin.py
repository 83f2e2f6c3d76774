"""The back office: look at the registry and at what was refused."""

from django.contrib import admin
from django.http import HttpRequest

from events.models import Attribute, DeadLetter


class LookOnly(admin.ModelAdmin):
    """Rows that only services write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False


@admin.register(Attribute)
class AttributeAdmin(LookOnly):
    list_display = ("key", "subject", "type", "sensitivity", "retention_days", "project")
    list_filter = ("subject", "sensitivity")
    search_fields = ("key",)


@admin.register(DeadLetter)
class DeadLetterAdmin(LookOnly):
    list_display = ("received_at", "environment", "source", "code", "replayed_at")
    list_filter = ("source", "code")
    exclude = ("payload",)
