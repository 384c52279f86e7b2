"""Checksums and aliases are probed by the thousand, and each probe reads whatever an index has put off to do later."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NAMES = ("ix_record_hashes_gin", "ix_record_alias_gin")


def upgrade() -> None:
    for name in _NAMES:
        op.execute(f"alter index {name} set (fastupdate = off)")
        # What has been put off before stays so until it is told.
        op.execute(f"select gin_clean_pending_list('{name}'::regclass)")


def downgrade() -> None:
    for name in _NAMES:
        op.execute(f"alter index {name} reset (fastupdate)")
