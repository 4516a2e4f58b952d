"""Hostile input: whatever comes in is understood, or refused in a sentence: no traceback, no hang."""
