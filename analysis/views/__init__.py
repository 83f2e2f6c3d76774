"""Pages about results: home, results, health, adequacy, decision, reports, mails."""
