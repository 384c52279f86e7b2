"""Decisions and administration of the policies (Gen3: Arborist)."""
