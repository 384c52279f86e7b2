"""What the audit trail holds, for those who may read it (Gen3: audit-service)."""
