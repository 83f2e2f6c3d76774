"""Fixtures of the analysis tests."""

from collections.abc import Iterator

import pytest

from tests.analysis.mail_server import MailSink, mail_server


@pytest.fixture
def mail_sink() -> Iterator[MailSink]:
    """A mail server that the settings name during one test."""
    with mail_server() as sink:
        yield sink
