"""API keys: made and shown once, listed, revoked."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache

from accounts.access import Action, ProjectRequest, project_view
from accounts.audit import Actor
from accounts.forms import KeyForm
from accounts.keys import create_key, revoke_key
from accounts.queries import environments_of, keys_of

PLACEHOLDER = "YOUR_KEY"


@project_view(Action.MANAGE)
def keys(request: ProjectRequest) -> HttpResponse:
    """List the project's keys, with the code that uses one."""
    context = {"keys": keys_of(request.project), "base_url": settings.BASE_URL, "secret": PLACEHOLDER}
    return render(request, "accounts/keys.html", context)


@project_view(Action.MANAGE)
@never_cache
def create(request: ProjectRequest) -> HttpResponse:
    """Make a key. The answer to the POST is the only page that ever shows its secret."""
    form = KeyForm(
        request.POST or None,
        environments=environments_of(request.project),
        creator_role=request.membership.role,
    )
    if request.method == "POST" and form.is_valid():
        key, secret = create_key(actor=Actor.of(request), **form.cleaned_data)
        context = {"key": key, "secret": secret, "base_url": settings.BASE_URL}
        return render(request, "accounts/key_created.html", context)
    return render(request, "accounts/key_new.html", {"form": form}, status=422 if form.errors else 200)


@project_view(Action.MANAGE)
def revoke(request: ProjectRequest, public_id: str) -> HttpResponse:
    """Ask, then revoke a key."""
    key = get_object_or_404(keys_of(request.project), public_id=public_id)
    if request.method == "POST":
        revoke_key(key=key, actor=Actor.of(request))
        messages.success(
            request, f"{key.name} is revoked. Requests with it are refused within a few seconds."
        )
        return redirect("accounts:keys", request.project.slug)
    return render(request, "accounts/key_revoke.html", {"key": key})
