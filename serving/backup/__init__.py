"""Backups of the database, and what they hold: told apart by content."""
