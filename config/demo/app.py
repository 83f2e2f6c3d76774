"""A small app that talks to Strata as any app would: OpenFeature for variants, HTTP for exposures and events.

The people are real (RAND HIE), the app and its effect are simulated: the true probabilities are declared here,
so that everyone can see whether the report recovers them.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import requests
from numpy.random import Generator, Philox
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

SEED = 20_261_124
FLAG = "checkup_reminder"
DEFAULT = "none"
BOOKED = "checkup_booked"
CALLED = "service_call"
BATCH = 500
NAMESPACE = uuid.UUID("6f3d2a2e-9c57-4d0b-8a35-1f0a7f1f3b52")


@dataclass(frozen=True)
class Truth:
    """The probabilities behind the simulated behaviour."""

    booked_without: float = 0.22
    lift_chronically_ill: float = 0.09
    lift_others: float = 0.05
    called: float = 0.25

    def booked(self, *, letter: bool, chronically_ill: bool) -> float:
        """Return the probability that a person books a check-up."""
        lift = self.lift_chronically_ill if chronically_ill else self.lift_others
        return self.booked_without + (lift if letter else 0.0)


@dataclass(frozen=True)
class Person:
    unit_id: str
    attributes: dict[str, Any]
    chronically_ill: bool


@dataclass(frozen=True)
class Tally:
    """What the app saw: how many asked, and how many met each variant."""

    asked: int
    by_variant: dict[str, int]
    exposures_stored: int
    events_stored: int


@dataclass(frozen=True)
class Answer:
    person: Person
    variant: str
    metadata: dict[str, Any]


class DemoApp:
    """One app process with its server key."""

    def __init__(self, base_url: str, key: str) -> None:
        self.base_url = base_url
        self.headers = {"Authorization": f"Bearer {key}"}
        self.session = requests.Session()
        self.session.headers.update(self.headers)
        provider = OFREPProvider(base_url=base_url, headers_factory=lambda: self.headers)
        api.set_provider(provider)
        self.client = api.get_client()

    def serve(
        self, people: Sequence[Person], truth: Truth, on_progress: Callable[[int], None] = lambda _: None
    ) -> Tally:
        """Let every person use the app once: ask for the variant, report the exposure, then what they did."""
        draws = Generator(Philox(key=SEED)).random((len(people), 2))
        answers: list[Answer] = []
        for person in people:
            answers.append(self.ask(person))
            on_progress(len(answers))
        taking_part = [a for a in answers if "experiment" in a.metadata]
        variants = [a.variant for a in taking_part]
        return Tally(
            asked=len(answers),
            by_variant={v: variants.count(v) for v in sorted(set(variants))},
            exposures_stored=self.send("/api/v1/exposures", "exposures", map(_exposure, taking_part)),
            events_stored=self.send("/api/v1/events", "events", _behaviour(answers, truth, draws)),
        )

    def ask(self, person: Person) -> Answer:
        """Ask which letter this person gets; without an answer from the server this raises."""
        context = EvaluationContext(targeting_key=person.unit_id, attributes=person.attributes)
        details = self.client.get_string_details(FLAG, DEFAULT, context)
        if details.error_code:
            raise RuntimeError(
                f"The flag could not be evaluated: {details.error_code} {details.error_message}"
            )
        return Answer(person, details.variant or "", dict(details.flag_metadata))

    def send(self, path: str, name: str, items: Iterator[dict[str, Any]]) -> int:
        """Send items in batches and return how many are stored now (accepted, or there already)."""
        stored = 0
        for batch in batched_lists(items, BATCH):
            response = self.session.post(f"{self.base_url}{path}", json={name: batch}, timeout=30)
            response.raise_for_status()
            results = response.json()["results"]
            refused = [r for r in results if r["status"] == "rejected"]
            if refused:
                raise RuntimeError(
                    f"{path} refused {len(refused)} of {len(batch)} items, first: {refused[0]}"
                )
            stored += len(results)
        return stored


def batched_lists(items: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """Yield lists of at most `size` items."""
    batch: list[dict[str, Any]] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _exposure(answer: Answer) -> dict[str, Any]:
    unit = answer.person.unit_id
    return {
        **answer.metadata,
        "event_id": str(uuid.uuid5(NAMESPACE, f"exposure/{unit}")),
        "unit_id": unit,
        "variant": answer.variant,
        "sdk": "openfeature-python",
    }


def _behaviour(answers: Sequence[Answer], truth: Truth, draws: np.ndarray) -> Iterator[dict[str, Any]]:
    for answer, (booked_draw, called_draw) in zip(answers, draws, strict=True):
        person = answer.person
        booked = truth.booked(letter=answer.variant == "letter", chronically_ill=person.chronically_ill)
        for event, happened in ((BOOKED, booked_draw < booked), (CALLED, called_draw < truth.called)):
            if happened:
                event_id = uuid.uuid5(NAMESPACE, f"{event}/{person.unit_id}")
                yield {"event_id": str(event_id), "unit_id": person.unit_id, "name": event}
