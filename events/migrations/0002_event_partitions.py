from django.db import migrations

FORWARD = """
CREATE TABLE events_event (
  event_id uuid NOT NULL,
  environment_id bigint NOT NULL,
  unit_type varchar(30) NOT NULL,
  unit_id varchar(256) NOT NULL,
  name varchar(100) NOT NULL,
  occurred_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL,
  value double precision,
  properties jsonb NOT NULL
) PARTITION BY RANGE (received_at);
CREATE INDEX event_by_unit ON events_event (environment_id, unit_id, name, occurred_at);
CREATE INDEX event_by_name ON events_event (environment_id, name, occurred_at);

CREATE TABLE events_event_key (
  environment_id bigint NOT NULL,
  event_id uuid NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (environment_id, event_id)
);
CREATE INDEX event_key_by_receipt ON events_event_key USING brin (received_at);

-- Weeks start on Monday, UTC. Returns how many partitions were made.
CREATE FUNCTION strata_create_event_partitions(first_day timestamptz, weeks int) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  monday timestamptz;
  partition text;
  made int := 0;
BEGIN
  FOR i IN 0 .. weeks - 1 LOOP
    monday := date_trunc('week', first_day AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + make_interval(days => 7 * i);
    partition := 'events_event_' || to_char(monday AT TIME ZONE 'UTC', 'IYYY"w"IW');
    IF to_regclass(partition) IS NULL THEN
      EXECUTE format('CREATE TABLE %I PARTITION OF events_event FOR VALUES FROM (%L) TO (%L)',
                     partition, monday, monday + interval '7 days');
      made := made + 1;
    END IF;
  END LOOP;
  RETURN made;
END $$;
SELECT strata_create_event_partitions(now(), 5);
"""
BACKWARD = """
DROP TABLE events_event, events_event_key;
DROP FUNCTION strata_create_event_partitions(timestamptz, int);
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
