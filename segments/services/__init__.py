"""What changes segments: `definitions` and membership (`refreshing`); a rule tried (`trial`), a unit checked."""

from segments.services.checking import UnitCheck, check_facts, check_stored_unit
from segments.services.definitions import (
    SegmentCycle,
    SegmentKeyTaken,
    create_segment,
    prepare_rule,
    retire_segment,
    save_version,
    update_segment,
)
from segments.services.refreshing import (
    RefreshResult,
    claim_due_refreshes,
    claim_refresh,
    record_refresh_failure,
    refresh_segment,
    request_refresh,
)
from segments.services.trial import RuleTrial, try_rule

__all__ = [
    "RefreshResult",
    "RuleTrial",
    "SegmentCycle",
    "SegmentKeyTaken",
    "UnitCheck",
    "check_facts",
    "check_stored_unit",
    "claim_due_refreshes",
    "claim_refresh",
    "create_segment",
    "prepare_rule",
    "record_refresh_failure",
    "refresh_segment",
    "request_refresh",
    "retire_segment",
    "save_version",
    "try_rule",
    "update_segment",
]
