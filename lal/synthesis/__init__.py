"""Query synthesis: questions about items that nobody collected."""
