"""The service around lossnlp: HTTP endpoint, storage, write-back into a CRM."""
