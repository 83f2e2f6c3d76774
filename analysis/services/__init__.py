"""Every change of runs, jobs, recipients, schedules and deliveries."""

from analysis.services.deliveries import (
    claim_delivery,
    mark_failed,
    mark_sent,
    order_reports,
    order_test_report,
)
from analysis.services.jobs import claim_job, complete_job, fail_job, plan_due_jobs, request_analysis
from analysis.services.recipients import add_recipient, remove_recipient, unsubscribe
from analysis.services.runs import create_run
from analysis.services.schedules import plan_due_reports, schedule_of, set_schedule

__all__ = [
    "add_recipient",
    "claim_delivery",
    "claim_job",
    "complete_job",
    "create_run",
    "fail_job",
    "mark_failed",
    "mark_sent",
    "order_reports",
    "order_test_report",
    "plan_due_jobs",
    "plan_due_reports",
    "remove_recipient",
    "request_analysis",
    "schedule_of",
    "set_schedule",
    "unsubscribe",
]
