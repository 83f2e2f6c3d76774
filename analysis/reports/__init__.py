"""The report: what it says, how it looks in HTML and plain text, and sending it."""
