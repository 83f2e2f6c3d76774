import re
import secrets
from pathlib import Path

import pytest

from tests.paths import REPO
from tests.processes import bare_environment, running

PRODUCTION = {
    "STRATA_ENV": "production",
    "SECRET_KEY": secrets.token_urlsafe(48),
    "ALLOWED_HOSTS": "strata.example.com",
    "BASE_URL": "https://strata.example.com",
    "DATABASE_URL": "postgresql://strata@127.0.0.1:1/strata",
    "BROKER_URL": "redis://127.0.0.1:1/0",
}


def load_settings(environment: dict[str, str], home: Path) -> tuple[int, str]:
    script = "from django.conf import settings; print('booted', settings.DEBUG)"
    everything = bare_environment(
        **environment, STRATA_HOME=str(home), DJANGO_SETTINGS_MODULE="config.settings"
    )
    with running(["-c", script], everything) as process:
        said, _ = process.communicate(timeout=60)
    return process.returncode, said


def test_production_boots_on_secrets_of_its_own(tmp_path: Path) -> None:
    code, said = load_settings(PRODUCTION, tmp_path)
    assert (code, said.strip()) == (0, "booted False")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "x" * 60),
        ("SECRET_KEY", "change-me-abcdefghijklmnopqrstuvwxyz-0123456789-ABCDEFGHIJKLMNOP"),
        ("ALLOWED_HOSTS", ""),
        ("DATABASE_URL", ""),
    ],
)
def test_production_refuses_to_boot_on_a_missing_or_default_value(
    name: str, value: str, tmp_path: Path
) -> None:
    code, said = load_settings({**PRODUCTION, name: value}, tmp_path)
    assert code != 0
    assert "booted" not in said
    assert name in said


def test_every_variable_that_is_read_is_in_the_example_file() -> None:
    source = (REPO / "config/settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source)) | set(
        re.findall(r'required_secret\("([A-Z_]+)"', source)
    )
    assert {"DATABASE_URL", "BROKER_URL", "SECRET_KEY", "EMAIL_URL"} <= read | {"BROKER_URL"}
    named = set(
        re.findall(r"^#?([A-Z_]+)=", (REPO / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert named == read
