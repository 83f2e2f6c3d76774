from django.db import migrations

# What came in last, and what is new since a watermark: the Events page and incremental analysis read by receipt.
FORWARD = "CREATE INDEX event_by_receipt ON events_event (environment_id, received_at)"
BACKWARD = "DROP INDEX event_by_receipt"


class Migration(migrations.Migration):
    dependencies = [("events", "0002_event_partitions")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
