"""The rule language of segments: pure, no database. docs/segments.md defines its meaning."""

from segments.rules.encoding import encode, encode_document
from segments.rules.matching import Event, Predicate, Profile, ResolveSegment, compile_rule, matches
from segments.rules.nodes import (
    AllOf,
    AnyOf,
    AttributeTest,
    EventAggregate,
    EventRecency,
    InSegment,
    Not,
    Rule,
    map_conditions,
    walk,
)
from segments.rules.operators import ValueType
from segments.rules.parsing import parse
from segments.rules.references import References, find_cycle, needs_stored_facts, references
from segments.rules.tracing import Step, trace
from segments.rules.vocabulary import RuleError, Vocabulary
from segments.rules.wording import sentence

__all__ = [
    "AllOf",
    "AnyOf",
    "AttributeTest",
    "Event",
    "EventAggregate",
    "EventRecency",
    "InSegment",
    "Not",
    "Predicate",
    "Profile",
    "References",
    "ResolveSegment",
    "Rule",
    "RuleError",
    "Step",
    "ValueType",
    "Vocabulary",
    "compile_rule",
    "encode",
    "encode_document",
    "find_cycle",
    "map_conditions",
    "matches",
    "needs_stored_facts",
    "parse",
    "references",
    "sentence",
    "trace",
    "walk",
]
