from django.db import migrations

FORWARD = """
CREATE FUNCTION strata_notify_config() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('strata_config', NEW.environment_id::text);
  RETURN NEW;
END $$;
CREATE TRIGGER config_revision_notify AFTER INSERT OR UPDATE ON experiments_configrevision
  FOR EACH ROW EXECUTE FUNCTION strata_notify_config();
"""
BACKWARD = """
DROP TRIGGER config_revision_notify ON experiments_configrevision;
DROP FUNCTION strata_notify_config();
"""


class Migration(migrations.Migration):
    dependencies = [("experiments", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
