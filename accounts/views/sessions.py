"""Logging in and out, passwords, and a user's own page."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import views as auth_views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.utils import timezone

from accounts.forms import AccountForm, LoginForm
from accounts.queries import memberships_of
from accounts.throttle import TooManyAttempts, claim_attempt, client_address, forget_attempts


class Login(auth_views.LoginView):
    """Log in by e-mail address; guessing is braked (accounts.throttle)."""

    authentication_form = LoginForm
    template_name = "accounts/login.html"
    redirect_authenticated_user = True
    brake: TooManyAttempts | None = None

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "before_check": self.claim}

    def claim(self, email: str) -> None:
        try:
            claim_attempt(email=email, address=client_address(self.request), now=timezone.now())
        except TooManyAttempts as error:
            self.brake = error
            raise forms.ValidationError(error.message, code=error.code) from error

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        forget_attempts(email=form.cleaned_data["username"], address=client_address(self.request))
        return super().form_valid(form)

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        context = self.get_context_data(form=form)
        response = self.render_to_response(context, status=429 if self.brake else 422)
        if self.brake:
            response["Retry-After"] = str(int(self.brake.retry_after.total_seconds()) + 1)
        return response


class SetPassword(auth_views.PasswordResetConfirmView):
    """Set a first or a new password with the one-time link that was handed over."""

    template_name = "accounts/set_password.html"
    success_url = reverse_lazy("accounts:login")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password is set. Log in with it now.")
        return super().form_valid(form)

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


class ChangePassword(auth_views.PasswordChangeView):
    """Set a new password, knowing the old one."""

    template_name = "accounts/change_password.html"
    success_url = reverse_lazy("accounts:account")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password is changed. Other browsers are logged out.")
        return super().form_valid(form)

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Show and change what a user says of themself."""
    form = AccountForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your name is saved.")
        return redirect("accounts:account")
    status = 422 if form.errors else 200
    context = {"form": form, "memberships": memberships_of(request.user)}  # type: ignore[arg-type]
    return render(request, "accounts/account.html", context, status=status)
