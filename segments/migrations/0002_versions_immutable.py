from django.db import migrations

FORWARD = """
CREATE TRIGGER segment_version_immutable BEFORE UPDATE OF segment_id, number, rule, sentence, needs_stored_facts
  ON segments_segmentversion FOR EACH ROW EXECUTE FUNCTION strata_refuse_change();
"""
BACKWARD = "DROP TRIGGER segment_version_immutable ON segments_segmentversion;"


class Migration(migrations.Migration):
    dependencies = [("segments", "0001_initial"), ("accounts", "0002_audit_append_only")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
