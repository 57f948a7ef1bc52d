"""The readers of transcripts and webhooks under bytes that coverage leads to."""
