"""Peers: what a user would try instead of lossnlp, each answering the same deals."""
