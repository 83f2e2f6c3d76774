"""Statistics: pure functions of moments, no database, no clock, no logging (see docs/statistics.md)."""
