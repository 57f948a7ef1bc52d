"""CRM connectors: one CRM, one file, each with `connect(settings)`; a new one adds a file and touches no other."""
