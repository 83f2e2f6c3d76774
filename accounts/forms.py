"""Forms of the accounts pages."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.access import covers
from accounts.models import Environment, KeyKind, Organisation, Project, Role, User

CURRENCIES = (
    "EUR",
    "USD",
    "GBP",
    "CHF",
    "SEK",
    "NOK",
    "DKK",
    "PLN",
    "CZK",
    "JPY",
    "CAD",
    "AUD",
    "INR",
    "BRL",
)


class LoginForm(AuthenticationForm):
    """E-mail and password; `before_check` runs before the password is looked at."""

    error_messages = {
        "invalid_login": "This e-mail address and password do not match. Check both and try again.",
        "inactive": "This user is not active any more. Ask an administrator.",
    }

    def __init__(
        self,
        request: HttpRequest | None = None,
        *args: Any,
        before_check: Callable[[str], None] = lambda email: None,
        **kwargs: Any,
    ) -> None:
        super().__init__(request, *args, **kwargs)
        self.before_check = before_check
        self.fields["username"].label = "E-mail address"
        self.fields["username"].widget = forms.EmailInput(
            attrs={"autocomplete": "username", "autofocus": True}
        )

    def clean_username(self) -> str:
        return str(self.cleaned_data["username"]).strip().lower()

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("username") and self.cleaned_data.get("password"):
            self.before_check(self.cleaned_data["username"])
        return super().clean()


class AccountForm(forms.ModelForm):
    """What a user says of themself."""

    class Meta:
        model = User
        fields = ("first_name", "last_name")


class ProjectForm(forms.Form):
    """A new project, in an organisation that exists or in a new one."""

    organisation = forms.ModelChoiceField(Organisation.objects.none(), empty_label=None)
    organisation_name = forms.CharField(
        label="Organisation", max_length=120, help_text="Your company or team. It can hold several projects."
    )
    name = forms.CharField(
        label="Project name",
        max_length=120,
        help_text="One product or site, such as Web shop. Segments and metrics live in it.",
    )

    def __init__(self, *args: Any, organisations: QuerySet[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if organisations:
            self.fields["organisation"].queryset = organisations  # type: ignore[attr-defined]
            del self.fields["organisation_name"]
        else:
            del self.fields["organisation"]


class SettingsForm(forms.ModelForm):
    """What a project's admin can change."""

    timezone = forms.ChoiceField(
        label="Time zone", help_text="Pages and reports of this project show times in this zone."
    )
    currency = forms.ChoiceField(choices=[(c, c) for c in CURRENCIES])

    class Meta:
        model = Project
        fields = ("name", "description", "timezone", "currency", "consent_required")
        labels = {"consent_required": "Require stored consent"}
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = sorted(available_timezones() - {"localtime", "Factory"})
        self.fields["timezone"].choices = [(zone, zone.replace("_", " ")) for zone in zones]  # type: ignore[attr-defined]


class MemberForm(forms.Form):
    """A person to add to a project."""

    email = forms.EmailField(label="E-mail address")
    role = forms.ChoiceField(choices=Role.choices, help_text="The page Members lists what each role may do.")


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(choices=Role.choices)


class KeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(max_length=80, help_text="Where it will be used, such as Checkout service.")
    environment = forms.ModelChoiceField(Environment.objects.none(), empty_label=None)
    kind = forms.ChoiceField(choices=KeyKind.choices, widget=forms.RadioSelect, initial=KeyKind.SDK_SERVER)
    role = forms.ChoiceField(
        choices=Role.choices,
        initial=Role.VIEWER,
        help_text="For API keys: what the key may do. Other kinds ignore it.",
    )
    allowed_origins = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono"}),
        help_text="For client keys: the sites that may use the key, one per line, such as https://shop.example.com. "
        "Empty: any site.",
    )

    def __init__(
        self, *args: Any, environments: QuerySet[Environment], creator_role: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["environment"].queryset = environments  # type: ignore[attr-defined]
        self.fields["role"].choices = [  # type: ignore[attr-defined]
            choice for choice in Role.choices if covers(creator_role, choice[0])
        ]

    def clean_allowed_origins(self) -> list[str]:
        origins = [line.strip().rstrip("/") for line in self.cleaned_data["allowed_origins"].splitlines()]
        for origin in filter(None, origins):
            if not _is_origin(origin):
                raise forms.ValidationError(
                    f"{origin} is not an origin. Write scheme and host only, such as https://shop.example.com."
                )
        return [origin for origin in origins if origin]

    def clean(self) -> dict[str, Any]:
        """Keep a role only for API keys, and origins only for client keys."""
        if self.cleaned_data.get("kind") != KeyKind.API:
            self.cleaned_data["role"] = Role.VIEWER
        if self.cleaned_data.get("kind") != KeyKind.SDK_CLIENT:
            self.cleaned_data["allowed_origins"] = []
        return self.cleaned_data


class AuditFilterForm(forms.Form):
    """What to show of the trail."""

    kind = forms.ChoiceField(required=False, label="What was changed")
    target = forms.CharField(required=False, label="Id", max_length=60)
    actor = forms.CharField(required=False, label="By whom", max_length=200)

    def __init__(self, *args: Any, kinds: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [("", "Anything"), *((k, k) for k in kinds)]  # type: ignore[attr-defined]


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and text == f"{parts.scheme}://{parts.netloc}"
        )
    except ValueError:
        return False
