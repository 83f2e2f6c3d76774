from django.db import migrations

FORWARD = """
CREATE TRIGGER run_immutable BEFORE UPDATE ON analysis_run
  FOR EACH ROW EXECUTE FUNCTION strata_refuse_change();
"""
BACKWARD = "DROP TRIGGER run_immutable ON analysis_run;"


class Migration(migrations.Migration):
    dependencies = [("analysis", "0001_initial"), ("accounts", "0002_audit_append_only")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
